# The model is C, with all of its kernels.
set(MODEL_SOURCES src/model/model.c src/model/weights.c)
