/* Some layer has channels in a form of their own; see requantize_four(). */
#define EDGEPRUNE_ODD_CHANNELS 1
