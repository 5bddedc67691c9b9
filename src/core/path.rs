//! Paths into a value: `layer[1].units`.

use std::fmt;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// An attribute of an object, an argument or a block of a body, a key of a map.
    Name(String),
    /// An element of a list or tuple.
    Index(usize),
}

/// A path from the root of a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(pub Vec<Step>);

impl Path {
    /// The root itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// A path of one name.
    pub fn of(name: &str) -> Self {
        Self::root().name(name)
    }

    /// This path and then an attribute.
    #[must_use]
    pub fn name(&self, name: &str) -> Self {
        self.then(Step::Name(name.to_owned()))
    }

    /// This path and then an element.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.then(Step::Index(index))
    }

    fn then(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Path(steps)
    }

    /// Reads what `Display` writes: names apart by dots, indices in brackets. Malformed parts count as names.
    pub fn parse(text: &str) -> Self {
        let mut steps = Vec::new();
        for part in text.split('.').filter(|part| !part.is_empty()) {
            let (name, indices) = part.split_at(part.find('[').unwrap_or(part.len()));
            if !name.is_empty() {
                steps.push(Step::Name(name.to_owned()));
            }
            for index in indices.split('[').filter(|index| !index.is_empty()) {
                let index = index.trim_end_matches(']');
                steps.push(index.parse().map_or_else(|_| Step::Name(index.trim_matches('"').to_owned()), Step::Index));
            }
        }
        Path(steps)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Name(name) if position == 0 => f.write_str(name)?,
                Step::Name(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let path = Path::of("layer").index(1).name("units");
        assert_eq!(path.to_string(), "layer[1].units");
        assert_eq!(Path::parse("layer[1].units"), path);
    }
}
