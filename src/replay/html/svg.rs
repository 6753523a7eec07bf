//! A small chart: two axes, and what is drawn between them. Colours are classes of the page's style
//! sheet, so that a chart is light or dark with the page.

use super::text::escape;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 26.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 46.0;

/// Gaps between the ticks of an axis, about.
const TICKS: f64 = 5.0;

/// One side of a chart.
#[derive(Debug, Clone)]
pub struct Axis {
    pub low: f64,
    pub high: f64,
    pub label: &'static str,
    pub format: fn(f64) -> String,
}

impl Axis {
    /// From zero to a little beyond `high`.
    pub fn from_zero(high: f64, label: &'static str, format: fn(f64) -> String) -> Self {
        let high = if high > 0.0 { high * 1.04 } else { 1.0 };
        Self { low: 0.0, high, label, format }
    }

    fn share(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// Round values within the axis.
    fn ticks(&self) -> Vec<f64> {
        let rough = (self.high - self.low) / TICKS;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
        let step = step.into_iter().find(|step| *step >= rough * 0.999).unwrap_or(rough);
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step * (1.0 + 1e-9)).floor() as i64;
        (first..=last).map(|n| n as f64 * step).collect()
    }
}

/// A chart that is being drawn.
#[derive(Debug)]
pub struct Chart {
    x: Axis,
    y: Axis,
    body: String,
}

impl Chart {
    pub fn new(x: Axis, y: Axis) -> Self {
        let mut chart = Self { x, y, body: String::new() };
        for tick in chart.y.ticks() {
            let (y, label) = (chart.top(tick), escape(&(chart.y.format)(tick)));
            chart.body += &format!(
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>\n",
                WIDTH - RIGHT,
                LEFT - 8.0,
                y + 4.0,
            );
        }
        for tick in chart.x.ticks() {
            let (x, label) = (chart.left(tick), escape(&(chart.x.format)(tick)));
            chart.body += &format!(
                "<text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>\n",
                HEIGHT - BOTTOM + 18.0,
            );
        }
        chart.body += &format!(
            "<text class=\"axis\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
             <text class=\"axis\" transform=\"translate(14 {:.1}) rotate(-90)\" \
             text-anchor=\"middle\">{}</text>\n",
            (LEFT + WIDTH - RIGHT) / 2.0,
            HEIGHT - 8.0,
            escape(chart.x.label),
            (TOP + HEIGHT - BOTTOM) / 2.0,
            escape(chart.y.label),
        );
        chart
    }

    fn left(&self, x: f64) -> f64 {
        LEFT + self.x.share(x) * (WIDTH - LEFT - RIGHT)
    }

    fn top(&self, y: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.share(y) * (HEIGHT - TOP - BOTTOM)
    }

    fn path(&self, points: impl Iterator<Item = (f64, f64)>) -> String {
        let points = points.map(|(x, y)| format!("{:.1},{:.1}", self.left(x), self.top(y)));
        points.collect::<Vec<_>>().join(" ")
    }

    pub fn line(&mut self, points: &[(f64, f64)], class: &str) {
        let path = self.path(points.iter().copied());
        self.body += &format!("<polyline class=\"{class}\" points=\"{path}\"/>\n");
    }

    /// What lies between an upper and a lower line.
    pub fn area(&mut self, upper: &[(f64, f64)], lower: &[(f64, f64)], class: &str) {
        let path = self.path(upper.iter().chain(lower.iter().rev()).copied());
        self.body += &format!("<polygon class=\"{class}\" points=\"{path}\"/>\n");
    }

    /// A dot; `title` is shown where the pointer rests.
    pub fn dot(&mut self, at: (f64, f64), radius: f64, class: &str, title: &str) {
        self.body += &format!(
            "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius:.1}\">\
             <title>{}</title></circle>\n",
            self.left(at.0),
            self.top(at.1),
            escape(title),
        );
    }

    /// A rectangle between two values of each axis.
    pub fn bar(&mut self, x: (f64, f64), y: (f64, f64), class: &str, title: &str) {
        let (left, right) = (self.left(x.0), self.left(x.1));
        let (top, bottom) = (self.top(y.1), self.top(y.0));
        self.body += &format!(
            "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" \
             height=\"{:.1}\"><title>{}</title></rect>\n",
            // A hair between neighbours.
            (right - left - 0.6).max(0.4),
            bottom - top,
            escape(title),
        );
    }

    /// A word beside a point, on the side where there is room.
    pub fn word(&mut self, at: (f64, f64), text: &str) {
        let (x, y) = (self.left(at.0), self.top(at.1));
        let is_right = x > WIDTH * 0.7;
        let (x, anchor) = if is_right { (x - 9.0, "end") } else { (x + 9.0, "start") };
        self.body += &format!(
            "<text class=\"word\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>\n",
            if y < TOP + 16.0 { y + 16.0 } else { y - 7.0 },
            escape(text),
        );
    }

    /// The drawing; `label` says in words what it shows.
    pub fn finish(self, label: &str) -> String {
        format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n{}</svg>\n",
            escape(label),
            self.body,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(low: f64, high: f64) -> Axis {
        Axis { low, high, label: "x", format: |value| format!("{value:.2}") }
    }

    #[test]
    fn ticks_are_round_and_within_the_axis() {
        for (low, high, ticks) in [
            (0.0, 1.0, &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0][..]),
            (0.0, 0.013, &[0.0, 0.005, 0.01]),
            (0.0, 4400.0, &[0.0, 1000.0, 2000.0, 3000.0, 4000.0]),
        ] {
            let found = axis(low, high).ticks();
            assert_eq!(found.len(), ticks.len(), "{found:?}");
            assert!(found.iter().zip(ticks).all(|(a, b)| (a - b).abs() < 1e-9), "{found:?}");
        }
    }

    #[test]
    fn nothing_is_drawn_beyond_the_frame_and_words_are_escaped() {
        let mut chart = Chart::new(axis(0.0, 1.0), axis(0.0, 1.0));
        chart.dot((7.0, -3.0), 2.0, "c", "<b>");
        let drawn = chart.finish("\"quoted\"");
        assert!(drawn.contains("cx=\"614.0\" cy=\"254.0\""), "{drawn}");
        assert!(drawn.contains("&lt;b&gt;") && drawn.contains("&quot;quoted&quot;"));
    }
}
