package android.os

class Bundle(private val texts: MutableMap<String, String> = mutableMapOf()) {
    fun putString(key: String, value: String) {
        texts[key] = value
    }

    fun getString(key: String, default: String): String = texts[key] ?: default

    fun keys() = texts.keys
}
