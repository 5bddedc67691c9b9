# From simulated LHC events to a scored model: which of three processes made an event with one energetic lepton?
#
#   pipectl apply pipelines/hep.hcl
#
# The network is CERN's Inclusive Classifier: a GRU over up to 801 particles of 19 features beside 14 features of the whole event.
# Events are described in data/hep/README.md.

pipeline "hep" {
  description = "The Inclusive Classifier on simulated LHC events"
}

variable "train_events" {
  description = "Events to learn from: a pattern, or a list of patterns, of Parquet files."
  type        = any
  default     = "data/hep/train-*.parquet"
}

variable "test_events" {
  description = "Events to judge by. Nothing is learned from them, not even the scale of a feature."
  type        = any
  default     = "data/hep/test-*.parquet"
}

variable "workers" {
  description = "Worker processes that train together. The model does not depend on how many there are."
  type        = number
  default     = 2

  validation {
    condition     = var.workers >= 1 && var.workers == floor(var.workers)
    error_message = "The number of workers is a whole number, 1 or more; it is ${var.workers}."
  }
}

variable "batch_size" {
  description = "Events that all workers together take at a step."
  type        = number
  default     = 64
}

variable "epochs" {
  description = "Passes over the training events. The learning rate falls at half and at four fifths of them."
  type        = number
  default     = 10
}

variable "learning_rate" {
  description = "Step size of the first half of the epochs."
  type        = number
  default     = 0.001
}

variable "seed" {
  description = "Decides initial weights, the order of events, and dropout."
  type        = number
  default     = 1
}

locals {
  classes = ["QCD", "ttbar", "W+jets"]

  # Particles are massless: their four-momenta follow from what the files hold. Particle 0 is the lepton.
  derived = {
    Energy   = "Pt * cosh(Eta)"
    Px       = "Pt * cos(Phi)"
    Py       = "Pt * sin(Phi)"
    Pz       = "Pt * sinh(Eta)"
    isChHad  = "type == 0"
    isNeuHad = "type == 1"
    isGamma  = "type == 2"
    isEle    = "type == 3"
    isMu     = "type == 4"
    dR       = "hypot(Eta - first(Eta), wrap_phi(Phi - first(Phi)))"
  }

  # The 19 features of a particle, in the original's order.
  particle = [
    "Energy", "Px", "Py", "Pz", "Pt", "Eta", "Phi", "vtxX", "vtxY", "vtxZ",
    "ChPFIso", "GammaPFIso", "NeuPFIso", "isChHad", "isNeuHad", "isGamma", "isEle", "isMu", "Charge",
  ]
  most_particles = 801
  event_features = 14
}

# How to scale the features of an event: learned from the training events alone.
stage "convert" "scale" {
  source = var.train_events

  step "shape" {
    columns = ["hfeatures"]
    shape   = [local.event_features]
  }
  step "scale" {
    column = "hfeatures"
    method = "min_max"
  }
  step "select" { columns = ["hfeatures"] }

  output { format = "parquet" }
}

# Training and test events become records in the same way.
stage "convert" "events" {
  for_each = {
    train = { source = var.train_events, shards = 4 }
    test  = { source = var.test_events, shards = 1 }
  }
  source = each.value.source

  step "derive" { columns = local.derived }
  step "stack" {
    columns = local.particle
    into    = "GRU_input"
  }
  step "sort" {
    columns = ["GRU_input"]
    by      = "dR"
    order   = "descending"
  }
  step "truncate" {
    columns = ["GRU_input"]
    length  = local.most_particles
  }
  step "standardize" { columns = ["GRU_input"] }
  step "shape" {
    columns = ["hfeatures"]
    shape   = [local.event_features]
  }
  step "scale" {
    column    = "hfeatures"
    constants = stage.convert.scale.constants.hfeatures
  }
  step "one_hot" {
    column  = "label"
    classes = length(local.classes)
    into    = "encoded_label"
  }
  step "select" {
    columns = ["hfeatures", "GRU_input", "encoded_label"]
    rename  = { hfeatures = "HLF_input" }
  }

  output {
    format = "tfrecord"
    shards = each.value.shards
  }
}

model "inclusive_classifier" {
  input "gru_input" { shape = [local.most_particles, length(local.particle)] }
  input "hlf_input" { shape = [local.event_features] }

  layer "masking" "mask" { input = input.gru_input }
  layer "gru" "gru" {
    input = layer.mask
    units = 50
  }
  layer "dropout" "gru_dropout" {
    input = layer.gru
    rate  = 0.2
  }
  layer "dropout" "hlf_dropout" {
    input = input.hlf_input
    rate  = 0.2
  }
  layer "concat" "features" { input = [layer.gru_dropout, layer.hlf_dropout] }
  layer "dense" "hidden" {
    input      = layer.features
    units      = 25
    activation = "relu"
  }
  layer "dense" "class" {
    input      = layer.hidden
    units      = length(local.classes)
    activation = "softmax"
  }

  output = layer.class
}

stage "train" "inclusive" {
  model             = model.inclusive_classifier
  dataset           = stage.convert.events["train"].dataset
  workers           = var.workers
  global_batch_size = var.batch_size
  epochs            = var.epochs
  seed              = var.seed

  optimizer "adam" { learning_rate = var.learning_rate }
  schedule {
    from_epoch    = floor(var.epochs / 2) + 1
    learning_rate = 0.4 * var.learning_rate
  }
  schedule {
    from_epoch    = floor(var.epochs * 4 / 5) + 1
    learning_rate = 0.2 * var.learning_rate
  }
}

stage "evaluate" "test" {
  weights = stage.train.inclusive.weights
  dataset = stage.convert.events["test"].dataset
  classes = local.classes
}

stage "export" "onnx" {
  weights = stage.train.inclusive.weights
  dataset = stage.convert.events["test"].dataset
}

stage "score" "test" {
  onnx    = stage.export.onnx.file
  dataset = stage.convert.events["test"].dataset
}

check "quality" {
  assert {
    condition     = stage.evaluate.test.accuracy > 0.8
    error_message = "The classifier is right on ${stage.evaluate.test.accuracy * 100} % of the test events only."
  }
}

output "test_accuracy" {
  description = "Share of the test events whose most probable class is the true one."
  value       = stage.evaluate.test.accuracy
}

output "auc" {
  description = "Area under the ROC curve of each class against the others."
  value       = stage.evaluate.test.auc
}

output "model" {
  description = "The ONNX file, relative to the folder of this file."
  value       = stage.export.onnx.file.path
}

output "predictions" {
  description = "Probabilities of every test event, relative to the folder of this file."
  value       = stage.score.test.predictions.path
}
