import Testing

@testable import Importing

@Suite struct NamesTests {
    @Test(arguments: [
        ("down_modules.0.1.conv1.block.0.weight", "down_modules.0.1.blocks.0.block.0.weight"),
        ("mid_modules.1.conv2.block.1.bias", "mid_modules.1.blocks.1.block.1.bias"),
        ("down_modules.0.2.weight", "down_modules.0.2.conv.weight"),
        ("up_modules.1.2.bias", "up_modules.1.2.conv.bias"),
        ("up_modules.1.1.cond_encoder.1.weight", "up_modules.1.1.cond_encoder.1.weight"),
        ("final_conv.0.block.0.weight", "final_conv.0.block.0.weight"),
        ("diffusion_step_encoder.3.bias", "diffusion_step_encoder.3.bias"),
        ("down_modules.1.0.residual_conv.weight", "down_modules.1.0.residual_conv.weight"),
    ])
    func `tensors of the network have these names`(ours: String, theirs: String) {
        #expect(TensorPlan.networkName(ours) == theirs)
    }

    @Test(arguments: [
        ("backbone.4.0.conv1.weight", "nets.0.nets.4.0.conv1.weight"), ("pool.nets.bias", "nets.1.nets.bias"),
        ("out.weight", "nets.3.weight"),
    ])
    func `tensors of an encoder have these names`(ours: String, theirs: String) {
        #expect(TensorPlan.encoderName(ours) == theirs)
    }
}
