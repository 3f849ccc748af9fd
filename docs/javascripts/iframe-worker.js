// A page that is opened from disk may start no Worker, in which the theme's search runs: there, an iframe does the work.
// The file is named as the package whose place it takes, by which the theme's plugin `offline` knows that it is there.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      this.loaded = new Promise((resolve) => this.frame.addEventListener("load", resolve));
      this.frame.addEventListener("answer", (event) => {
        this.dispatchEvent(new MessageEvent("message", { data: event.detail }));
      });
      const answer = "(data) => frameElement.dispatchEvent(new parent.CustomEvent('answer', { detail: data }))";
      this.frame.srcdoc = `<script>window.postMessage = ${answer}</script><script src="${url}"></script>`;
      document.body.append(this.frame);
    }

    async postMessage(data) {
      await this.loaded;
      this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data }));
    }
  };
}
