package edgeprune.model

import android.os.Bundle
import android.util.Log
import androidx.test.ext.junit.runners.AndroidJUnit4
import androidx.test.platform.app.InstrumentationRegistry
import com.google.ai.edge.litert.Accelerator
import java.util.zip.CRC32
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith

/**
 * Compares the model's outputs on golden samples with those expected, and times it; shows nothing on the screen.
 *
 * Arguments, by `-e NAME VALUE` of `am instrument`: `accelerator` (cpu or gpu), `threads`, `runs`. Each line
 * of [report] goes to logcat and to whoever started the test; 'edgeprune bench --on adb' reads it there.
 */
@RunWith(AndroidJUnit4::class)
class GoldenTest {
    @Test
    fun outputsAreTheGoldenOnes() {
        val arguments = InstrumentationRegistry.getArguments()
        val asked = arguments.getString("accelerator", EdgepruneModel.ACCELERATOR.name)
        val accelerator = Accelerator.valueOf(asked.uppercase())
        val threads = arguments.getString("threads", "1").toInt()
        val runs = arguments.getString("runs", "50").toInt()
        val instrumentation = InstrumentationRegistry.getInstrumentation()
        val context = instrumentation.targetContext

        report("runtime LiteRT ${BuildConfig.LITERT_VERSION} on ${accelerator.name}")
        val file = context.assets.open(EdgepruneModel.ASSET).use { it.readBytes() }
        report("model_crc32 ${CRC32().apply { update(file) }.value} of ${file.size} bytes")
        EdgepruneModel.create(context, accelerator, threads).use { model ->
            val content = instrumentation.context.assets.open("golden.bin").use { it.readBytes() }
            val golden = GoldenSamples(content, model)
            val difference = golden.runAndCompare()
            val allowed = if (accelerator == Accelerator.CPU) ALLOWED else ALLOWED_IN_HALF_PRECISION
            report("golden_samples ${golden.count}, off by $difference of their range, $allowed is allowed")
            val times = LongArray(runs) { timeOnce(model) }.apply { sort() }
            report("ticks ${times[runs / 2]} for one inference, at 1000000000 per second")
            report("ticks_quartiles ${times[runs / 4]} to ${times[runs * 3 / 4]} in $runs runs")
            val isGolden = difference <= allowed
            report(if (isGolden) "PASS" else "FAIL")
            assertTrue("outputs differ by $difference of their range, $allowed is allowed", isGolden)
        }
    }

    private fun timeOnce(model: EdgepruneModel): Long {
        val start = System.nanoTime()
        model.run()
        return System.nanoTime() - start
    }

    private fun report(line: String) {
        Log.i("edgeprune", line)
        InstrumentationRegistry.getInstrumentation()
            .sendStatus(0, Bundle().apply { putString("edgeprune", line) })
    }

    private companion object {
        /** Kernels round otherwise from processor to processor; a model with wrong inputs is off by much more. */
        const val ALLOWED = 0.05
        const val ALLOWED_IN_HALF_PRECISION = 0.1
    }
}
