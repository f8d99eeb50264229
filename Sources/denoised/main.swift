print("denoised")
