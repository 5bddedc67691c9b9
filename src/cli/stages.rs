//! Which stage kinds this program has: each behind a feature, so that a build without training needs no training libraries.

use pipectl_stage::Stages;

/// All stage kinds of this build.
pub fn stages() -> Stages {
    #[cfg_attr(not(any(feature = "convert", feature = "train", feature = "score")), expect(unused_mut))]
    let mut stages = Stages::default();
    #[cfg(feature = "convert")]
    stages.add(pipectl_stage_convert::Convert);
    #[cfg(feature = "train")]
    stages.add(pipectl_stage_train::Train);
    #[cfg(feature = "train")]
    stages.add(pipectl_stage_evaluate::Evaluate);
    #[cfg(feature = "train")]
    stages.add(pipectl_stage_export::Export);
    #[cfg(feature = "score")]
    stages.add(pipectl_stage_score::Score);
    stages
}
