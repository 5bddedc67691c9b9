# The Inclusive Classifier on events that are prepared as its authors did it, value by value, with a GRU or an LSTM.
#
#   pipectl apply pipelines/hep-faithful.hcl
#   pipectl apply pipelines/hep-faithful.hcl -var cell=lstm
#
# What is different from hep.hcl: an event is filled up to 801 particles first, then sorted and standardised, so that the padding takes
# part in both. It lies in the middle of the sequence then and is not zero any more; no step is masked. That costs time and gains
# comparability: these are the records of the SparkDLTrigger project. One thing is kept from hep.hcl: the scale of the event's features
# is learned from the training events, where the original looked at all of them.

pipeline "hep-faithful" {
  description = "The Inclusive Classifier on the original's preparation"
}

variable "train_events" {
  description = "Events to learn from and to watch the learning by: a pattern, or a list of patterns, of Parquet files."
  type        = any
  default     = "data/hep/train-*.parquet"
}

variable "test_events" {
  description = "Events to judge by."
  type        = any
  default     = "data/hep/test-*.parquet"
}

variable "events" {
  description = "How many events to use for what: those for validation follow those to train on in the same files."
  type = object({
    train      = number
    validation = number
    test       = number
  })
  default = {
    train      = 3500
    validation = 500
    test       = 1000
  }
}

variable "cell" {
  description = "The recurrent layer: gru or lstm."
  type        = string
  default     = "gru"

  validation {
    condition     = contains(["gru", "lstm"], var.cell)
    error_message = "The recurrent layer is a gru or an lstm, not ${var.cell}."
  }
}

variable "workers" {
  description = "Worker processes that train together."
  type        = number
  default     = 2
}

variable "batch_size" {
  description = "Events that all workers together take at a step."
  type        = number
  default     = 64
}

variable "epochs" {
  description = "Passes over the training events."
  type        = number
  default     = 10
}

variable "seed" {
  description = "Decides initial weights, the order of events, and dropout."
  type        = number
  default     = 1
}

locals {
  classes        = ["QCD", "ttbar", "W+jets"]
  particle_types = ["isChHad", "isNeuHad", "isGamma", "isEle", "isMu"]

  # Particles are massless: their four-momenta follow from what the files hold.
  momenta = {
    Energy = "Pt * cosh(Eta)"
    Px     = "Pt * cos(Phi)"
    Py     = "Pt * sin(Phi)"
    Pz     = "Pt * sinh(Eta)"
  }

  # The 19 features of a particle, in the original's order.
  particle = concat(
    ["Energy", "Px", "Py", "Pz", "Pt", "Eta", "Phi", "vtxX", "vtxY", "vtxZ", "ChPFIso", "GammaPFIso", "NeuPFIso"],
    local.particle_types,
    ["Charge"],
  )
  most_particles = 801
  event_features = 14

  # Distance to the lepton, which is particle 0. The padding, at (0, 0), has one too.
  distance = "sqrt(square(Eta - first(Eta)) + square(wrap_phi(Phi - first(Phi))))"

  sets = {
    train      = { source = var.train_events, skip = 0, rows = var.events.train, shards = 4 }
    validation = { source = var.train_events, skip = var.events.train, rows = var.events.validation, shards = 1 }
    test       = { source = var.test_events, skip = 0, rows = var.events.test, shards = 1 }
  }
}

# The features of the event alone, from Parquet to Parquet: the input of the original's smaller classifier. The scale is learned here.
stage "convert" "event_features" {
  source = var.train_events

  step "limit" { rows = var.events.train }
  step "shape" {
    columns = ["hfeatures"]
    shape   = [local.event_features]
  }
  step "scale" {
    column = "hfeatures"
    method = "min_max"
  }
  step "one_hot" {
    column  = "label"
    classes = length(local.classes)
    into    = "encoded_label"
  }
  step "select" {
    columns = ["hfeatures", "encoded_label"]
    rename  = { hfeatures = "HLF_input" }
  }

  output {
    format      = "parquet"
    compression = "snappy"
  }
}

stage "convert" "events" {
  for_each = local.sets
  source   = each.value.source

  step "limit" {
    skip = each.value.skip
    rows = each.value.rows
  }
  step "derive" { columns = local.momenta }
  step "one_hot" {
    column = "type"
    names  = local.particle_types
  }
  step "pad" {
    columns = local.particle
    length  = local.most_particles
  }
  step "stack" {
    columns = local.particle
    into    = "GRU_input"
  }
  step "sort" {
    columns = ["GRU_input"]
    by      = local.distance
    order   = "descending"
  }
  step "standardize" { columns = ["GRU_input"] }
  step "shape" {
    columns = ["hfeatures"]
    shape   = [local.event_features]
  }
  step "scale" {
    column    = "hfeatures"
    constants = stage.convert.event_features.constants.hfeatures
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

model "classifier" {
  input "gru_input" { shape = [local.most_particles, length(local.particle)] }
  input "hlf_input" { shape = [local.event_features] }

  # As in the original, where it masks nothing either.
  layer "masking" "mask" { input = input.gru_input }
  # 12,353 parameters with a gru, 15,703 with an lstm.
  layer "gru" "gru" {
    enabled = var.cell == "gru"
    input   = layer.mask
    units   = 50
  }
  layer "lstm" "lstm" {
    enabled = var.cell == "lstm"
    input   = layer.mask
    units   = 50
  }
  layer "dropout" "memory_dropout" {
    input = { gru = layer.gru, lstm = layer.lstm }[var.cell]
    rate  = 0.2
  }
  layer "dropout" "hlf_dropout" {
    input = input.hlf_input
    rate  = 0.2
  }
  layer "concat" "features" { input = [layer.memory_dropout, layer.hlf_dropout] }
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

stage "train" "classifier" {
  model             = model.classifier
  dataset           = stage.convert.events["train"].dataset
  validation        = stage.convert.events["validation"].dataset
  workers           = var.workers
  global_batch_size = var.batch_size
  epochs            = var.epochs
  seed              = var.seed

  optimizer "adam" { learning_rate = 0.001 }
  schedule {
    from_epoch    = floor(var.epochs / 2) + 1
    learning_rate = 0.0004
  }
  schedule {
    from_epoch    = floor(var.epochs * 4 / 5) + 1
    learning_rate = 0.0002
  }
}

stage "evaluate" "test" {
  weights = stage.train.classifier.weights
  dataset = stage.convert.events["test"].dataset
  classes = local.classes
}

stage "export" "onnx" {
  weights = stage.train.classifier.weights
  dataset = stage.convert.events["test"].dataset
}

stage "score" "test" {
  onnx    = stage.export.onnx.file
  dataset = stage.convert.events["test"].dataset
}

output "parameters" {
  description = "Number of trained parameters."
  value       = stage.train.classifier.parameters
}

output "validation_accuracy" {
  description = "Share of the validation events that are classified right after the last epoch."
  value       = stage.train.classifier.validation_accuracy
}

output "test_accuracy" {
  description = "Share of the test events whose most probable class is the true one."
  value       = stage.evaluate.test.accuracy
}

output "auc" {
  description = "Area under the ROC curve of each class against the others."
  value       = stage.evaluate.test.auc
}

output "scored_accuracy" {
  description = "The same share, through the ONNX file."
  value       = stage.score.test.accuracy
}

output "model" {
  description = "The ONNX file, relative to the folder of this file."
  value       = stage.export.onnx.file.path
}
