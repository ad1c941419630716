"""A Keras model as a layer graph, and a layer graph as a Keras model."""
