"""One run as its six steps (data, split, fit, score, evaluate, record), and a run over all classes.

May import: configuration, data, detectors, evaluation, runs, training. The only
package that builds objects from a configuration.
"""
