package edgeprune.model

import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.math.abs

/**
 * Samples with the outputs that are expected: tensor by tensor, inputs first, the little-endian elements of one
 * sample behind those of the other.
 */
internal class GoldenSamples(content: ByteArray, private val model: EdgepruneModel) {
    private val bytes = ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN)
    private val tensors = model.inputs + model.outputs

    val count = content.size / tensors.sumOf { it.bytes }

    /** The largest difference from what is expected, as a fraction of the range of its output; NaN for NaN. */
    fun runAndCompare(): Double {
        val expected = model.outputs.associateWith { output ->
            List(count) { sample -> output.decode(find(output, sample)) }
        }
        val ranges = expected.mapValues { (_, samples) -> rangeOf(samples) }
        return (0 until count).maxOf { sample ->
            model.inputs.forEach { it.load(find(it, sample)) }
            model.run()
            model.outputs.maxOf { largestDifference(expected.getValue(it)[sample], it) / ranges.getValue(it) }
        }
    }

    /** [bytes] at the first element of a tensor in a sample. */
    private fun find(tensor: Tensor, sample: Int): ByteBuffer {
        val before = tensors.takeWhile { it !== tensor }.sumOf { it.bytes }
        return bytes.apply { position(before * count + tensor.bytes * sample) }
    }
}

private fun rangeOf(samples: List<DoubleArray>): Double {
    val range = samples.maxOf { it.max() } - samples.minOf { it.min() }
    return if (range > 0) range else 1.0
}

private fun largestDifference(expected: DoubleArray, output: Tensor): Double {
    val found = output.readReals()
    check(found.size == expected.size) { "${found.size} elements, not ${expected.size}" }
    return found.indices.maxOf { abs(found[it] - expected[it]) }
}
