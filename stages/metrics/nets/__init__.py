"""The networks that perceptual and distribution metrics are defined by: our own small definitions, original weights."""
