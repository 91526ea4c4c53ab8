"""Figures of a study, each in SVG and PNG with words that say what it shows.

Every maker takes plain numbers and returns a `ResultFigure`; the same arguments give the same bytes. Series are told
apart by colour (a palette safe for colour-blind readers) and also by hatch, marker or dash, so that a print in
black and white reads too. What is not defined is drawn as a dash, never as 0. All need the extra `study`.
"""

from hilum.pages._figure_bars import grouped_bars, stacked_bars
from hilum.pages._figure_curves import Line, Panel, Point, curves
from hilum.pages._figure_heat import heat_map
from hilum.pages._figure_odds import odds_forest
from hilum.pages._figure_rows import differences, ranges

__all__ = [
    "Line",
    "Panel",
    "Point",
    "curves",
    "differences",
    "grouped_bars",
    "heat_map",
    "odds_forest",
    "ranges",
    "stacked_bars",
]
