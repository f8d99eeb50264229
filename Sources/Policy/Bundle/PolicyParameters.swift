import Compute
import Networks

/// The tensors that a policy's checkpoint has.
extension PolicyConfiguration {
    /// LeRobot's name of the denoising network inside the policy.
    static let networkPrefix = "diffusion.unet."

    /// The parameters of all networks, under LeRobot's names: the denoiser's, then those of the encoders.
    package var parameters: [NetworkParameter] {
        var parameters = architecture.parameters.map { $0.within(Self.networkPrefix) }
        for prefix in vision?.encoderPrefixes ?? [] {
            parameters += vision?.encoder.parameters.map { $0.within(prefix) } ?? []
        }
        return parameters
    }

    /// Whether a tensor is one that training keeps and inference does not read: how many batches a batch normalisation saw.
    func isUnused(_ name: String) -> Bool {
        guard let vision, vision.encoder.norm == .batch else { return false }
        return name.hasSuffix(".num_batches_tracked")
            && vision.encoderPrefixes.contains { name.hasPrefix($0) }
    }
}

extension NetworkParameter {
    /// The same under a longer name.
    fileprivate func within(_ prefix: String) -> NetworkParameter {
        NetworkParameter(name: prefix + name, shape: shape)
    }
}
