//! Meta-arguments of pipectl that a kind has arguments of: those are the kind's.
//!
//! `enabled`, `timeout`, `concurrency` and `retry` are pipectl's own, and Terraform's providers know nothing of them. Where a kind has an argument
//! or block of such a name, what stands in the block itself is the kind's, and the meta-argument is written in `lifecycle`. What kinds there are is
//! not known while files are read, so this is settled by whoever knows their schemas, before anything is evaluated. Of the inputs of a
//! module it is settled as soon as the module is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use pipectl_core::Address;

use crate::configuration::{Configuration, ModuleBlock, ObjectBlock};

/// Whether the kind of a block has an argument or a nested block of a name.
pub type Takes<'a> = dyn Fn(&Address, &str) -> bool + 'a;

impl Configuration {
    /// This configuration and the modules below, with arguments that their kinds claim given to them; `None` where that changes nothing.
    #[must_use]
    pub fn with_claimed_arguments(&self, takes: &Takes<'_>) -> Option<Configuration> {
        let is_claimed = |block: &ObjectBlock| block.claimable_names().iter().any(|name| takes(&block.address, name));
        let has_any = |module: &&Configuration| module.objects.values().any(is_claimed);
        self.distinct_modules().iter().any(has_any).then(|| self.claimed(takes, &mut BTreeMap::new()))
    }

    /// `done` has the modules by their folders: each is shared by all blocks that name it.
    fn claimed(&self, takes: &Takes<'_>, done: &mut BTreeMap<String, Arc<Configuration>>) -> Configuration {
        let mut configuration = self.clone();
        for block in configuration.objects.values_mut() {
            block.claim(takes);
        }
        for block in configuration.modules.values_mut() {
            let Some(inside) = &block.configuration else { continue };
            let claimed = match done.get(&inside.folder) {
                Some(claimed) => Arc::clone(claimed),
                None => {
                    let claimed = Arc::new(inside.claimed(takes, done));
                    done.insert(inside.folder.clone(), Arc::clone(&claimed));
                    claimed
                }
            };
            block.configuration = Some(claimed);
        }
        configuration
    }
}

impl ObjectBlock {
    /// Names of the meta-arguments of this block that its kind may claim.
    fn claimable_names(&self) -> Vec<&'static str> {
        let Some(whole) = &self.claimable else { return Vec::new() };
        let mut names = vec!["enabled", "timeout", "concurrency"];
        names.retain(|name| whole.argument(name).is_some() && self.body.argument(name).is_none());
        if whole.blocks_of("retry").next().is_some() && self.body.blocks_of("retry").next().is_none() {
            names.push("retry");
        }
        names
    }

    fn claim(&mut self, takes: &Takes<'_>) {
        let (claimed, own): (Vec<_>, Vec<_>) =
            self.claimable_names().into_iter().partition(|name| takes(&self.address, name));
        let Some(whole) = self.claimable.as_ref().filter(|_| !claimed.is_empty()) else { return };
        self.body = whole.without(&own, &own);
        for name in claimed {
            match name {
                "enabled" => self.meta.enabled = None,
                "timeout" => self.meta.timeout = None,
                "concurrency" => self.meta.concurrency = None,
                _ => self.meta.retry = None,
            }
        }
    }
}

impl ModuleBlock {
    /// Makes `enabled` an input where the module declares a variable of that name.
    pub(crate) fn claim_inputs(&mut self) {
        let declares = |module: &Arc<Configuration>| module.variables.contains_key("enabled");
        if self.configuration.as_ref().is_some_and(declares)
            && let Some(whole) = self.claimable.take()
        {
            self.inputs = whole;
            self.enabled = None;
        }
    }
}
