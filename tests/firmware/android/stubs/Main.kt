// Runs the test as AndroidJUnitRunner does: the process ends in 1 where it fails.

import edgeprune.model.GoldenTest
import kotlin.system.exitProcess

fun main() {
    try {
        GoldenTest().outputsAreTheGoldenOnes()
    } catch (error: AssertionError) {
        println("INSTRUMENTATION_STATUS: stack=$error")
        exitProcess(1)
    }
}
