package androidx.test.platform.app

import android.content.Context
import android.content.res.AssetManager
import android.os.Bundle
import java.io.File

/** Prints what `am instrument -r` prints of a status. */
class Instrumentation(val context: Context, val targetContext: Context) {
    fun sendStatus(code: Int, status: Bundle) {
        for (key in status.keys()) println("INSTRUMENTATION_STATUS: $key=${status.getString(key, "")}")
        println("INSTRUMENTATION_STATUS_CODE: $code")
    }
}

object InstrumentationRegistry {
    private val root = File(System.getProperty("project"), "src")
    private val instrumentation = Instrumentation(
        Context(AssetManager(File(root, "androidTest/assets"))),
        Context(AssetManager(File(root, "main/assets"))),
    )

    @JvmStatic
    fun getInstrumentation() = instrumentation

    @JvmStatic
    fun getArguments() = Bundle().apply {
        putString("runs", "5")
        System.getProperty("accelerator")?.let { putString("accelerator", it) }
    }
}
