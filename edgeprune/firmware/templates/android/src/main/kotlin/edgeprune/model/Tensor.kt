package edgeprune.model

import com.google.ai.edge.litert.TensorBuffer
import java.nio.ByteBuffer
import kotlin.math.roundToInt

/**
 * One input or output: memory of the runtime with [size] elements of the file's type, in the order of the file.
 */
sealed class Tensor(internal val buffer: TensorBuffer, val size: Int) : AutoCloseable {
    protected abstract val elementBytes: Int

    internal val bytes get() = size * elementBytes

    /** Writes the next [size] elements of little-endian [bytes]. */
    internal abstract fun load(bytes: ByteBuffer)

    /** The next [size] elements of little-endian [bytes], as real numbers. */
    internal abstract fun decode(bytes: ByteBuffer): DoubleArray

    /** What it holds, as real numbers. */
    internal abstract fun readReals(): DoubleArray

    override fun close() = buffer.close()

    protected fun requireSize(given: Int) =
        require(given == size) { "$given values for a tensor of $size" }
}

/** Floats. */
class FloatTensor internal constructor(buffer: TensorBuffer, size: Int) : Tensor(buffer, size) {
    override val elementBytes get() = Float.SIZE_BYTES

    fun write(values: FloatArray) {
        requireSize(values.size)
        buffer.writeFloat(values)
    }

    fun read(): FloatArray = buffer.readFloat()

    override fun load(bytes: ByteBuffer) = write(FloatArray(size) { bytes.getFloat() })

    override fun decode(bytes: ByteBuffer) = DoubleArray(size) { bytes.getFloat().toDouble() }

    override fun readReals() = read().toReals()
}

/** Bytes that stand for the real numbers ([element][writeRaw] - [zeroPoint]) * [scale]. */
class QuantizedTensor internal constructor(
    buffer: TensorBuffer,
    size: Int,
    val scale: Float,
    val zeroPoint: Int,
    private val isSigned: Boolean,
) : Tensor(buffer, size) {
    override val elementBytes get() = Byte.SIZE_BYTES

    /** Writes the nearest element to each real number. */
    fun write(values: FloatArray) {
        requireSize(values.size)
        val (low, high) = if (isSigned) -128 to 127 else 0 to 255
        buffer.writeInt8(
            ByteArray(size) { ((values[it] / scale).roundToInt() + zeroPoint).coerceIn(low, high).toByte() }
        )
    }

    /** The real numbers that its elements stand for. */
    fun read(): FloatArray = readRaw().let { raw -> FloatArray(size) { dequantize(raw[it]) } }

    fun writeRaw(elements: ByteArray) {
        requireSize(elements.size)
        buffer.writeInt8(elements)
    }

    fun readRaw(): ByteArray = buffer.readInt8()

    override fun load(bytes: ByteBuffer) = writeRaw(ByteArray(size).also { bytes.get(it) })

    override fun decode(bytes: ByteBuffer) = DoubleArray(size) { dequantize(bytes.get()).toDouble() }

    override fun readReals() = read().toReals()

    private fun dequantize(element: Byte): Float =
        ((if (isSigned) element.toInt() else element.toInt() and 0xFF) - zeroPoint) * scale
}

/** 32-bit integers. */
class IntTensor internal constructor(buffer: TensorBuffer, size: Int) : Tensor(buffer, size) {
    override val elementBytes get() = Int.SIZE_BYTES

    fun write(values: IntArray) {
        requireSize(values.size)
        buffer.writeInt(values)
    }

    fun read(): IntArray = buffer.readInt()

    override fun load(bytes: ByteBuffer) = write(IntArray(size) { bytes.getInt() })

    override fun decode(bytes: ByteBuffer) = DoubleArray(size) { bytes.getInt().toDouble() }

    override fun readReals() = read().let { values -> DoubleArray(size) { values[it].toDouble() } }
}

/** 64-bit integers. */
class LongTensor internal constructor(buffer: TensorBuffer, size: Int) : Tensor(buffer, size) {
    override val elementBytes get() = Long.SIZE_BYTES

    fun write(values: LongArray) {
        requireSize(values.size)
        buffer.writeLong(values)
    }

    fun read(): LongArray = buffer.readLong()

    override fun load(bytes: ByteBuffer) = write(LongArray(size) { bytes.getLong() })

    override fun decode(bytes: ByteBuffer) = DoubleArray(size) { bytes.getLong().toDouble() }

    override fun readReals() = read().let { values -> DoubleArray(size) { values[it].toDouble() } }
}

/** Truth values, one byte each in a file. */
class BooleanTensor internal constructor(buffer: TensorBuffer, size: Int) : Tensor(buffer, size) {
    override val elementBytes get() = Byte.SIZE_BYTES

    fun write(values: BooleanArray) {
        requireSize(values.size)
        buffer.writeBoolean(values)
    }

    fun read(): BooleanArray = buffer.readBoolean()

    override fun load(bytes: ByteBuffer) = write(BooleanArray(size) { bytes.get() != 0.toByte() })

    override fun decode(bytes: ByteBuffer) = DoubleArray(size) { if (bytes.get() != 0.toByte()) 1.0 else 0.0 }

    override fun readReals() = read().let { values -> DoubleArray(size) { if (values[it]) 1.0 else 0.0 } }
}

/** What raw values become before the model takes them: (value - mean) / std, channel by channel. */
class Normalization internal constructor(private val mean: FloatArray, private val std: FloatArray) {
    operator fun invoke(raw: FloatArray): FloatArray =
        FloatArray(raw.size) { (raw[it] - mean[it % mean.size]) / std[it % std.size] }
}

private fun FloatArray.toReals() = DoubleArray(size) { this[it].toDouble() }
