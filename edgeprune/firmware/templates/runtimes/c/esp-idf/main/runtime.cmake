# The model is C, with all of its kernels.
set(MODEL_SOURCES model/model.c model/weights.c)
