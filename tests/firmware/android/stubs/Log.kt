package android.util

object Log {
    @Suppress("UNUSED_PARAMETER")
    @JvmStatic
    fun i(tag: String, message: String): Int = 0
}
