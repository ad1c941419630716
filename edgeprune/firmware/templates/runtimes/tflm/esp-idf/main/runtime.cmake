# TFLM is a component, see idf_component.yml; the model is data.
set(MODEL_SOURCES model_data.cc)
