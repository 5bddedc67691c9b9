//! The plots, as SVG text. Their bytes depend on the figures only: text is left to the viewer's own sans-serif font.

use plotters::chart::{ChartBuilder, SeriesLabelPosition};
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{PathElement, Rectangle};
use plotters::prelude::{LineSeries, SVGBackend};
use plotters::series::DashedLineSeries;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontTransform, IntoFont, RGBColor, ShapeStyle, TextStyle, WHITE};

use crate::measure::Measures;

/// A plot could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("the plot `{plot}` cannot be drawn: {problem}")]
pub struct PlotError {
    /// Which one.
    pub plot: &'static str,
    /// What the drawing library says.
    pub problem: String,
}

/// Colours that colour-blind people can tell apart (M. Okabe, K. Ito, 2008).
const PALETTE: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(60, 60, 60),
];
const INK: RGBColor = RGBColor(40, 40, 40);
const FAINT: RGBColor = RGBColor(150, 150, 150);
const GRID: RGBColor = RGBColor(228, 228, 228);
/// The colour of a full cell.
const FULL: RGBColor = RGBColor(8, 81, 156);
/// Curves that the legend names at most.
const MOST_NAMED: usize = 14;
/// Points of a curve that are drawn at most: more than there are pixels.
const MOST_POINTS: usize = 1000;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Outcome = Result<(), Box<dyn std::error::Error>>;

/// The ROC curve of every class against all others.
///
/// # Errors
/// When the drawing library fails.
pub fn roc(names: &[String], measures: &Measures) -> Result<String, PlotError> {
    drawn("roc", (720, 640), |area| draw_roc(area, names, measures))
}

/// The confusion matrix: a row for each true class, coloured by the share of the row.
///
/// # Errors
/// When the drawing library fails.
pub fn confusion(names: &[String], measures: &Measures) -> Result<String, PlotError> {
    drawn("confusion", (760, 640), |area| draw_confusion(area, names, measures))
}

fn drawn(plot: &'static str, size: (u32, u32), draw: impl FnOnce(&Area<'_>) -> Outcome) -> Result<String, PlotError> {
    let mut text = String::new();
    let outcome = {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        area.fill(&WHITE)
            .map_err(Into::into)
            .and_then(|()| draw(&area))
            .and_then(|()| area.present().map_err(Into::into))
    };
    outcome.map_err(|error: Box<dyn std::error::Error>| PlotError { plot, problem: error.to_string() })?;
    Ok(text)
}

fn draw_roc(area: &Area<'_>, names: &[String], measures: &Measures) -> Outcome {
    let mut chart = ChartBuilder::on(area)
        .caption("ROC curves, each class against all others", font(22, INK))
        .margin(16)
        .margin_right(28)
        .x_label_area_size(52)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
    chart
        .configure_mesh()
        .x_desc("False positive rate")
        .y_desc("True positive rate")
        .axis_desc_style(font(17, INK))
        .label_style(font(14, INK))
        .x_labels(11)
        .y_labels(11)
        .x_label_formatter(&|value| format!("{value:.1}"))
        .y_label_formatter(&|value| format!("{value:.1}"))
        .max_light_lines(0)
        .bold_line_style(GRID)
        .axis_style(FAINT)
        .draw()?;
    let diagonal = DashedLineSeries::new([(0.0, 0.0), (1.0, 1.0)], 6, 5, FAINT.stroke_width(1));
    chart.draw_series(diagonal)?.label("chance: AUC 0.5").legend(|(x, y)| key(x, y, FAINT.stroke_width(1)));
    for (index, (name, curve)) in names.iter().zip(&measures.curves).enumerate() {
        let Some(curve) = curve else { continue };
        let style = PALETTE[index % PALETTE.len()].stroke_width(2);
        let points = curve.thinned(MOST_POINTS);
        let series = chart.draw_series(LineSeries::new(points.iter().map(|point| curve.rates(point)), style))?;
        if index < MOST_NAMED {
            series.label(format!("{}: AUC {:.4}", short(name), curve.area)).legend(move |(x, y)| key(x, y, style));
        } else if index == MOST_NAMED {
            series.label(format!("and {} more", names.len() - MOST_NAMED)).legend(move |(x, y)| key(x, y, style));
        }
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .margin(14)
        .legend_area_size(36)
        .label_font(font(16, INK))
        .background_style(WHITE.mix(0.9))
        .border_style(GRID)
        .draw()?;
    Ok(())
}

/// The piece of a line that stands for it in the legend.
fn key(x: i32, y: i32, style: ShapeStyle) -> PathElement<(i32, i32)> {
    PathElement::new([(x, y), (x + 26, y)], style)
}

fn draw_confusion(area: &Area<'_>, names: &[String], measures: &Measures) -> Outcome {
    const LEFT: i32 = 150;
    const TOP: i32 = 64;
    const SIDE: i32 = 480;
    let count = i32::try_from(names.len())?;
    let edge = |index: i32| index * SIDE / count;
    let cell = SIDE / count;
    let centred = |size: i32, color: RGBColor| font(size, color).pos(Pos::new(HPos::Center, VPos::Center));
    let right = |size: i32| font(size, INK).pos(Pos::new(HPos::Right, VPos::Center));
    let left = |size: i32| font(size, INK).pos(Pos::new(HPos::Left, VPos::Center));
    area.draw_text("Confusion matrix", &centred(22, INK), (LEFT + SIDE / 2, 34))?;
    let size = (cell / 6).clamp(7, 19);
    for (row, counts) in (0..count).zip(&measures.confusion) {
        let rows: u64 = counts.iter().sum();
        for (column, &number) in (0..count).zip(counts) {
            let share = if rows == 0 { 0.0 } else { number as f64 / rows as f64 };
            let corner = (LEFT + edge(column), TOP + edge(row));
            let opposite = (LEFT + edge(column + 1), TOP + edge(row + 1));
            area.draw(&Rectangle::new([corner, opposite], shade(share).filled()))?;
            // Smaller cells have no room for numbers: the colour tells enough.
            if cell >= 26 {
                let ink = if share > 0.5 { WHITE } else { INK };
                let middle = ((corner.0 + opposite.0) / 2, (corner.1 + opposite.1) / 2);
                area.draw_text(&number.to_string(), &centred(size, ink), (middle.0, middle.1 - size * 5 / 8))?;
                let percent = format!("{:.1} %", share * 100.0);
                area.draw_text(&percent, &centred(size * 3 / 4, ink), (middle.0, middle.1 + size * 5 / 8))?;
            }
        }
    }
    for line in 0..=count {
        let style = if line == 0 || line == count { FAINT } else { GRID };
        area.draw(&PathElement::new([(LEFT + edge(line), TOP), (LEFT + edge(line), TOP + SIDE)], style))?;
        area.draw(&PathElement::new([(LEFT, TOP + edge(line)), (LEFT + SIDE, TOP + edge(line))], style))?;
    }
    let label = (cell / 2).clamp(6, 15);
    for (index, name) in (0..count).zip(names) {
        let middle = (edge(index) + edge(index + 1)) / 2;
        area.draw_text(&short(name), &right(label), (LEFT - 10, TOP + middle))?;
        // Names side by side must fit the width of their cells; letters are about half as wide as high.
        let room = usize::try_from(cell * 2 / label)?.max(1);
        area.draw_text(&shortened(name, room), &centred(label, INK), (LEFT + middle, TOP + SIDE + 18))?;
    }
    area.draw_text("Predicted class", &centred(17, INK), (LEFT + SIDE / 2, TOP + SIDE + 52))?;
    let upright = centred(17, INK).transform(FontTransform::Rotate270);
    area.draw_text("True class", &upright, (24, TOP + SIDE / 2))?;
    draw_scale(area, (LEFT + SIDE + 32, TOP), SIDE, &left(14))
}

/// The legend of the colours, from full to empty.
fn draw_scale(area: &Area<'_>, (x, top): (i32, i32), height: i32, style: &TextStyle<'_>) -> Outcome {
    const WIDTH: i32 = 18;
    const STEPS: i32 = 60;
    for step in 0..STEPS {
        let share = 1.0 - (f64::from(step) + 0.5) / f64::from(STEPS);
        let (from, to) = (top + step * height / STEPS, top + (step + 1) * height / STEPS);
        area.draw(&Rectangle::new([(x, from), (x + WIDTH, to)], shade(share).filled()))?;
    }
    area.draw(&Rectangle::new([(x, top), (x + WIDTH, top + height)], FAINT.stroke_width(1)))?;
    for quarter in 0..=4 {
        let y = top + quarter * height / 4;
        area.draw_text(&format!("{} %", 100 - quarter * 25), style, (x + WIDTH + 8, y))?;
    }
    let caption = font(14, INK).pos(Pos::new(HPos::Center, VPos::Center));
    area.draw_text("share of row", &caption, (x + WIDTH, top + height + 18))?;
    Ok(())
}

/// The colour of a share of a row: white is none.
fn shade(share: f64) -> RGBColor {
    let between = |full: u8| (255.0 + (f64::from(full) - 255.0) * share).round() as u8;
    RGBColor(between(FULL.0), between(FULL.1), between(FULL.2))
}

fn font(size: i32, color: RGBColor) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&color)
}

fn short(name: &str) -> String {
    shortened(name, 16)
}

/// At most `most` letters of a name.
fn shortened(name: &str, most: usize) -> String {
    if name.chars().count() <= most {
        return name.to_owned();
    }
    name.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn many(classes: usize) -> (Vec<String>, Measures) {
        let probabilities: Vec<f32> =
            (0..classes * classes).map(|index| if index % (classes + 1) == 0 { 0.5 } else { 0.1 }).collect();
        let truth: Vec<usize> = (0..classes).collect();
        let names = (0..classes).map(|class| format!("class number {class} & <others>")).collect();
        (names, Measures::of(&probabilities, &truth, classes).unwrap())
    }

    #[test]
    fn plots_are_labelled_and_escaped() {
        let (names, measures) = many(3);
        let roc = roc(&names, &measures).unwrap();
        for words in ["False positive rate", "True positive rate", "class number 0 …: AUC 1.0000", "chance: AUC 0.5"]
        {
            assert!(roc.contains(words), "{words}\n{roc}");
        }
        let confusion = confusion(&["a & b".to_owned(), "<c>".to_owned(), "d".to_owned()], &measures).unwrap();
        for words in ["Predicted class", "True class", "a &amp; b", "&lt;c&gt;", "100.0 %", "share of row"] {
            assert!(confusion.contains(words), "{words}\n{confusion}");
        }
    }

    #[test]
    fn any_number_of_classes_can_be_drawn() {
        for classes in [2, 10, 40, 200] {
            let (names, measures) = many(classes);
            assert!(roc(&names, &measures).unwrap().ends_with("</svg>\n"));
            assert!(confusion(&names, &measures).unwrap().ends_with("</svg>\n"));
        }
    }

    #[test]
    fn long_names_are_shortened() {
        assert_eq!(shortened("abcdef", 4), "abc…");
        assert_eq!(shortened("äöü", 3), "äöü");
    }
}
