// LiteRT's Kotlin interface as far as it is called, on buffers of bytes. A model answers to inputs that it knows
// from the folder `replay`: files input0, ..., output0, ... with the elements of all samples.

package com.google.ai.edge.litert

import android.content.res.AssetManager
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder

enum class Accelerator { NONE, CPU, GPU, NPU }

class TensorBuffer internal constructor(internal var bytes: ByteArray) : AutoCloseable {
    private fun write(size: Int, put: ByteBuffer.() -> Unit) {
        require(size == bytes.size) { "$size bytes for a buffer of ${bytes.size}" }
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).put()
    }

    private fun read() = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN)

    fun writeFloat(data: FloatArray) = write(4 * data.size) { data.forEach { putFloat(it) } }

    fun writeInt(data: IntArray) = write(4 * data.size) { data.forEach { putInt(it) } }

    fun writeLong(data: LongArray) = write(8 * data.size) { data.forEach { putLong(it) } }

    fun writeInt8(data: ByteArray) = write(data.size) { put(data) }

    fun writeBoolean(data: BooleanArray) = write(data.size) { data.forEach { put(if (it) 1 else 0) } }

    fun readFloat() = read().let { FloatArray(bytes.size / 4) { _ -> it.getFloat() } }

    fun readInt() = read().let { IntArray(bytes.size / 4) { _ -> it.getInt() } }

    fun readLong() = read().let { LongArray(bytes.size / 8) { _ -> it.getLong() } }

    fun readInt8() = bytes.copyOf()

    fun readBoolean() = BooleanArray(bytes.size) { bytes[it] != 0.toByte() }

    override fun close() = Unit
}

class CompiledModel private constructor() : AutoCloseable {
    data class CpuOptions(
        val numThreads: Int? = null,
        val xnnPackFlags: Int? = null,
        val xnnPackWeightCachePath: String? = null,
    )

    class Options(vararg val accelerators: Accelerator) {
        var cpuOptions: CpuOptions? = null
    }

    private val samples = System.getProperty("samples").toInt()
    private val inputs = load("input")
    private val outputs = load("output")

    private fun load(side: String): List<List<ByteArray>> =
        generateSequence(0) { it + 1 }
            .map { File(System.getProperty("replay"), "$side$it") }
            .takeWhile { it.exists() }
            .map { file -> file.readBytes().run { toList().chunked(size / samples) { it.toByteArray() } } }
            .toList()

    fun createInputBuffers(): List<TensorBuffer> = inputs.map { TensorBuffer(ByteArray(it[0].size)) }

    fun createOutputBuffers(): List<TensorBuffer> = outputs.map { TensorBuffer(ByteArray(it[0].size)) }

    fun run(inputs: List<TensorBuffer>, outputs: List<TensorBuffer>) {
        val sample = (0 until samples).first { sample ->
            inputs.indices.all { this.inputs[it][sample].contentEquals(inputs[it].bytes) }
        }
        outputs.forEachIndexed { place, output -> output.bytes = this.outputs[place][sample] }
    }

    override fun close() = Unit

    companion object {
        fun create(
            assetManager: AssetManager,
            assetName: String,
            options: Options = Options(Accelerator.CPU),
        ): CompiledModel {
            assetManager.open(assetName).close()
            require(options.accelerators.isNotEmpty())
            return CompiledModel()
        }
    }
}
