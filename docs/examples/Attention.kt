import dev.attention4j.Alignment
import dev.attention4j.Attention
import dev.attention4j.AttentionEngine
import dev.attention4j.Tensor

/** Causal attention of random numbers on the best device of this machine. */
fun main() {
    val query = Tensor.random(1, 1, 8, 128, 64) // [batch, heads, length, headDim]
    val key = Tensor.random(2, 1, 8, 128, 64)
    val value = Tensor.random(3, 1, 8, 128, 64)
    AttentionEngine.open().use { engine ->
        engine.attend(query, key, value, Attention.causal(Alignment.TOP_LEFT)).use { result ->
            println("$engine: ${result.output()}")
        }
    }
}
