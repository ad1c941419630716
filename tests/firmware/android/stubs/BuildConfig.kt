package edgeprune.model

object BuildConfig {
    const val LITERT_VERSION = "2.3.0"
}
