//! The kinds of a cloud, each under its name.

use std::sync::Arc;

use pipectl_provider::{DataSource, Kinds};

use crate::{Kind, KindResource};

/// The kinds of a cloud, as they are put together: of one that is configured, or of none.
pub struct Registration<C> {
    cloud: Option<Arc<C>>,
    kinds: Kinds,
}

impl<C> Registration<C> {
    /// No kinds yet.
    pub fn of(cloud: Option<Arc<C>>) -> Self {
        Self { cloud, kinds: Kinds::default() }
    }

    /// The same with a resource.
    #[must_use]
    pub fn resource<K: Kind<Cloud = C>>(mut self) -> Self {
        let resource = KindResource::<K>::new(self.cloud.clone());
        self.kinds.resources.insert(K::TYPE.to_owned(), Arc::new(resource));
        self
    }

    /// The same with a data source.
    #[must_use]
    pub fn data<D: DataSource + 'static>(mut self, name: &str, source: impl FnOnce(Option<Arc<C>>) -> D) -> Self {
        self.kinds.data_sources.insert(name.to_owned(), Arc::new(source(self.cloud.clone())));
        self
    }

    /// All of them.
    pub fn kinds(self) -> Kinds {
        self.kinds
    }
}
