import Glibc

/// The timestep's sinusoidal embedding: `dim / 2` sines, then as many cosines, of `timestep * 10000^(-i / (dim/2 - 1))`
/// (Vaswani et al. 2017, section 3.5, with the last frequency at exactly 1/10000, as Diffusion Policy has it).
func sinusoidalPositionEmbedding(timestep: Int, dim: Int) -> [Float] {
    let half = dim / 2
    let step = Float(log(10_000.0) / Double(half - 1))
    let angles = (0..<half).map { Float(timestep) * exp(Float($0) * -step) }
    return angles.map { sin($0) } + angles.map { cos($0) }
}
