//! Diagnostics as text and as JSON: the one place where they are rendered.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use pipectl_core::{Diagnostic, Diagnostics, Severity, Source, SourceMap, Span};
use serde_json::{Value as Json, json};

use crate::console::{Color, Paint};

/// All diagnostics, one after the other: errors last, so that they stand where the eye is.
pub fn render_all(diagnostics: &Diagnostics, sources: &SourceMap, paint: Paint, compact_warnings: bool) -> String {
    let sorted = in_order(diagnostics);
    let of = |severity| sorted.iter().copied().filter(move |diagnostic| diagnostic.severity == severity);
    let warnings = of(Severity::Warning).map(|warning| match compact_warnings {
        true => compact(warning, sources, paint),
        false => render(warning, sources, paint),
    });
    let errors = of(Severity::Error).map(|error| render(error, sources, paint));
    warnings.chain(errors).collect::<Vec<_>>().join("\n")
}

/// Diagnostics in the order of the files and of what stands in them, whatever order they were found in; last what stands in no file.
pub fn in_order(diagnostics: &Diagnostics) -> Vec<&Diagnostic> {
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    let place = |span: &Span| (span.source, span.range.start);
    sorted.sort_by_key(|diagnostic| (diagnostic.span.is_none(), diagnostic.span.as_ref().map(place)));
    sorted
}

/// One diagnostic: summary, place with excerpt and caret, values, detail, hints.
pub fn render(diagnostic: &Diagnostic, sources: &SourceMap, paint: Paint) -> String {
    let level = match diagnostic.severity {
        Severity::Warning => Level::WARNING,
        Severity::Error => Level::ERROR,
    };
    let title = level.primary_title(&*diagnostic.summary);
    let place = diagnostic.span.as_ref().and_then(|span| Some((sources.get(span.source)?, span)));
    let mut group = match place {
        Some((source, span)) => {
            let marked = visible(&source.text, span);
            // Only the line that is shown: the renderer looks at all that it is given, for each diagnostic.
            let line = line_around(&source.text, marked.start);
            let (number, _) = source.line(line.start);
            let inside = marked.start - line.start..marked.end - line.start;
            title.element(
                Snippet::source(&source.text[line])
                    .line_start(number)
                    .path(&*source.name)
                    .annotation(AnnotationKind::Primary.span(inside)),
            )
        }
        None => annotate_snippets::Group::with_title(title),
    };
    let place_names_it = diagnostic.address.as_ref().filter(|address| !diagnostic.detail.contains(&**address));
    let about = place_names_it.map(|address| format!("in {address}"));
    let path = diagnostic.path.as_ref().filter(|_| place.is_none()).map(|path| format!("at {path}"));
    let values = diagnostic.values.iter().map(|(name, value)| format!("{name} is {value}"));
    let notes: Vec<String> = about.into_iter().chain(path).chain(values).collect();
    if place.is_some() {
        for note in &notes {
            group = group.element(Level::NOTE.no_name().message(&**note));
        }
    }
    let renderer = if paint.colors { Renderer::styled() } else { Renderer::plain() };
    let mut text = renderer.decor_style(DecorStyle::Ascii).render(&[group]);
    text = text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    text.push('\n');
    if place.is_none() {
        text.extend(notes.iter().map(|note| format!("  = {note}\n")));
    }
    if !diagnostic.detail.is_empty() {
        text.push_str(&format!("\n{}\n", diagnostic.detail.trim_end()));
    }
    if !diagnostic.hints.is_empty() {
        text.push('\n');
    }
    for hint in &diagnostic.hints {
        text.push_str(&format!("{} {hint}\n", paint.on(Color::Cyan, "hint:")));
    }
    text
}

fn compact(warning: &Diagnostic, sources: &SourceMap, paint: Paint) -> String {
    let place = warning.span.as_ref().and_then(|span| {
        let (line, _) = sources.line_column(span)?;
        Some(format!(" ({}:{line})", sources.get(span.source)?.name))
    });
    format!("{} {}{}", paint.on(Color::Yellow, "warning:"), warning.summary, place.unwrap_or_default())
}

/// The range to mark: of a header or expression over several lines, its first line. Always on character borders.
fn visible(text: &str, span: &Span) -> std::ops::Range<usize> {
    let floor = |mut position: usize| {
        position = position.min(text.len());
        while !text.is_char_boundary(position) {
            position -= 1;
        }
        position
    };
    let start = floor(span.range.start);
    let end = floor(span.range.end.max(start));
    let line_end = text[start..end].find('\n').map_or(end, |length| start + length);
    // Blanks before the end of the line are not part of what is meant.
    let trimmed = start + text[start..line_end].trim_end().len();
    start..trimmed.max(start)
}

/// The line that a byte of a text is in, with its end.
fn line_around(text: &str, byte: usize) -> std::ops::Range<usize> {
    let start = text[..byte].rfind('\n').map_or(0, |position| position + 1);
    let end = text[byte..].find('\n').map_or(text.len(), |length| byte + length + 1);
    start..end
}

/// A diagnostic in the shape of Terraform's JSON output, and `address` and `hints` besides.
pub fn to_json(diagnostic: &Diagnostic, sources: &SourceMap) -> Json {
    let mut json = json!({
        "severity": match diagnostic.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        },
        "summary": diagnostic.summary,
        "detail": diagnostic.detail,
    });
    if let Some(address) = &diagnostic.address {
        json["address"] = json!(address);
    }
    if !diagnostic.hints.is_empty() {
        json["hints"] = json!(diagnostic.hints);
    }
    if let Some(span) = &diagnostic.span
        && let Some(source) = sources.get(span.source)
    {
        json["range"] = json!({
            "filename": source.name,
            "start": position(source, span.range.start),
            "end": position(source, span.range.end),
        });
        json["snippet"] = snippet(diagnostic, source, span);
    }
    json
}

fn position(source: &Source, byte: usize) -> Json {
    let byte = byte.min(source.text.len());
    let (number, line_start) = source.line(byte);
    let before = source.text.get(line_start..byte).unwrap_or_default();
    json!({
        "line": number,
        "column": before.chars().count() + 1,
        "byte": byte,
    })
}

fn snippet(diagnostic: &Diagnostic, source: &Source, span: &Span) -> Json {
    let text = &*source.text;
    let range = visible(text, span);
    let line_start = text[..range.start].rfind('\n').map_or(0, |position| position + 1);
    let line_end = text[range.start..].find('\n').map_or(text.len(), |length| range.start + length);
    let values: Vec<Json> = diagnostic
        .values
        .iter()
        .map(|(name, value)| json!({ "traversal": name, "statement": format!("is {value}") }))
        .collect();
    json!({
        "context": enclosing_block(&text[..line_start]),
        "code": &text[line_start..line_end],
        "start_line": source.line(line_start).0,
        "highlight_start_offset": range.start - line_start,
        "highlight_end_offset": range.end - line_start,
        "values": values,
    })
}

/// The header of the top-level block that the text ends inside: the last line that begins at its margin and opens a block.
fn enclosing_block(before: &str) -> Option<String> {
    let line = before.lines().rev().find(|line| line.starts_with(|c: char| c.is_alphabetic() || c == '}'))?;
    line.trim_end().strip_suffix('{').map(|header| header.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "stage \"train\" \"a\" {\n  epochs = var.epchs\n}\n";

    fn example() -> (Diagnostic, SourceMap) {
        let mut sources = SourceMap::default();
        let source = sources.add("pipelines/hep.hcl", TEXT);
        let start = TEXT.find("var.epchs").expect("it is there");
        let mut diagnostic = Diagnostic::error("Reference to undeclared variable", "There is no \"epchs\".")
            .at(Span { source, range: start..start + 9 })
            .about("stage.train.a")
            .hint("Did you mean \"epochs\"?")
            .hint("pipectl validate");
        diagnostic.values.push(("var.workers".to_owned(), "3".to_owned()));
        (diagnostic, sources)
    }

    #[test]
    fn shows_place_values_detail_and_hints() {
        let (diagnostic, sources) = example();
        let expected = "\
error: Reference to undeclared variable
 --> pipelines/hep.hcl:2:12
  |
2 |   epochs = var.epchs
  |            ^^^^^^^^^
  |
  = in stage.train.a
  = var.workers is 3

There is no \"epchs\".

hint: Did you mean \"epochs\"?
hint: pipectl validate
";
        assert_eq!(render(&diagnostic, &sources, Paint::PLAIN), expected);
    }

    #[test]
    fn without_a_place_the_object_is_named() {
        let diagnostic = Diagnostic::error("Source not readable", "Why.").about("stage.convert.a");
        let text = render(&diagnostic, &SourceMap::default(), Paint::PLAIN);
        assert_eq!(text, "error: Source not readable\n  = in stage.convert.a\n\nWhy.\n");
    }

    #[test]
    fn json_has_terraforms_shape() {
        let (diagnostic, sources) = example();
        let json = to_json(&diagnostic, &sources);
        assert_eq!(json["range"]["start"], json!({"line": 2, "column": 12, "byte": 31}));
        assert_eq!(json["snippet"]["context"], json!("stage \"train\" \"a\""));
        assert_eq!(json["snippet"]["code"], json!("  epochs = var.epchs"));
        assert_eq!(json["snippet"]["highlight_start_offset"], json!(11));
        assert_eq!(json["snippet"]["highlight_end_offset"], json!(20));
        assert_eq!(json["snippet"]["values"][0]["traversal"], json!("var.workers"));
    }

    #[test]
    fn strange_spans_do_no_harm() {
        let mut sources = SourceMap::default();
        let source = sources.add("a", "é");
        for range in [0..0, 1..1, 0..99, 50..60, 2..2] {
            let diagnostic = Diagnostic::error("Odd", "").at(Span { source, range });
            assert!(render(&diagnostic, &sources, Paint::PLAIN).starts_with("error: Odd"));
            to_json(&diagnostic, &sources);
        }
    }
}
