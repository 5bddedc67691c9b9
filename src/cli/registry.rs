//! All kinds that this program knows: providers, stages, executors, models.

use std::sync::Arc;

use pipectl_core::{Diagnostics, Schema};
use pipectl_provider::{Environment, Registry, Resource, ValueBlock};
use pipectl_stage::{Executors, StageResource};
use pipectl_worker::{LocalExecutor, Machine, Settings};

use crate::models;
use crate::stages::stages;

/// The registry of this build, for this machine.
pub fn registry(environment: &dyn Environment) -> Registry {
    let local = LocalExecutor::new(Machine::here(environment), Settings::default());
    let executors = Executors::new(Arc::new(local));
    let stage = |stage: &Arc<dyn pipectl_stage::Stage>| -> (String, Arc<dyn Resource>) {
        (stage.kind().to_owned(), Arc::new(StageResource::new(stage.clone(), executors.clone())))
    };
    let mut registry = Registry::default();
    registry.stages = stages().iter().map(stage).collect();
    registry.executors = [("local".to_owned(), local_executor())].into();
    registry.model = Some(models::model());
    registry.add(pipectl_provider_terraform::provider(crate::backend::kinds()));
    pipectl_provider_utility::register(&mut registry);
    #[cfg(feature = "aws")]
    registry.add(pipectl_provider_aws::Aws::new());
    #[cfg(feature = "oci")]
    registry.add(pipectl_provider_oci::Oci::new());
    #[cfg(feature = "openstack")]
    registry.add(pipectl_provider_openstack::OpenStack::new());
    registry
}

/// `executor "local" "name" {}`: this machine, which is also what a stage without an executor gets. It has nothing to set.
fn local_executor() -> ValueBlock {
    let schema = Schema::default().described("Stages as processes of this machine.");
    ValueBlock { schema, finish: Arc::new(|value| (value, Diagnostics::new())) }
}
