//! The courses of all figures as a picture: a panel for each, a line for each server, zero at the bottom.

use std::fmt::Write as _;

use crate::samples::{FIGURES, SERVERS, Samples};

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 120.0;
const GAP: f64 = 40.0;
const COLOURS: [&str; SERVERS.len()] = ["#0072b2", "#d55e00"];

pub(crate) fn draw(samples: &Samples) -> String {
    let height = (HEIGHT + GAP) * FIGURES.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-10 -30 {} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect x=\"-10\" y=\"-30\" width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        WIDTH + 20.0
    );
    for (figure, (what, ..)) in FIGURES.iter().enumerate() {
        let top = (HEIGHT + GAP) * figure as f64;
        let courses: Vec<Vec<f64>> = (0..SERVERS.len())
            .map(|server| samples.course(server, figure))
            .collect();
        let most = courses.iter().flatten().copied().fold(1.0, f64::max);
        let bottom = top + HEIGHT;
        let _ = writeln!(
            svg,
            "<text x=\"0\" y=\"{}\">{what}, at most {most}</text>\n\
             <line x1=\"0\" y1=\"{bottom}\" x2=\"{WIDTH}\" y2=\"{bottom}\" stroke=\"black\"/>",
            top - 8.0
        );
        for ((course, colour), name) in courses.iter().zip(COLOURS).zip(SERVERS) {
            let step = WIDTH / (course.len().max(2) - 1) as f64;
            let points: Vec<String> = course
                .iter()
                .enumerate()
                .map(|(at, value)| {
                    format!(
                        "{:.1},{:.1}",
                        step * at as f64,
                        bottom - HEIGHT * value / most
                    )
                })
                .collect();
            let _ = writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\"><title>{name}</title></polyline>",
                points.join(" ")
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}
