"""The colours of the figures; those of one figure can be told apart by the colour-blind, too."""

COLOURS = {
    "normal": "#0072B2",
    "abnormal": "#D55E00",
    "G": "#56B4E9",
    "B": "#CC79A7",
    "G'": "#009E73",
}
"""What has the same colour in every figure (Okabe and Ito's palette)."""

SERIES = (
    *("#332288", "#DDAA33", "#882255", "#117733", "#222222", "#88CCEE", "#999933"),
    *("#CC6677", "#44AA99", "#AA4499", "#0077BB", "#7A4B00"),
)
"""The colours of all other lines, in their order (Paul Tol's schemes, and a brown)."""
