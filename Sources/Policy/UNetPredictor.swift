import Denoiser
import Sampling

/// The network as the samplers see it.
struct UNetPredictor: NoisePredictor {
    let network: UNet1D

    func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        network.predict(samples: samples, timesteps: timesteps, into: &outputs)
    }

    func predict(
        samples: Span<Float>,
        timesteps: Span<Int>,
        until instant: ContinuousClock.Instant?,
        into outputs: inout MutableSpan<Float>
    ) -> Bool {
        network.predict(samples: samples, timesteps: timesteps, until: instant, into: &outputs)
    }
}
