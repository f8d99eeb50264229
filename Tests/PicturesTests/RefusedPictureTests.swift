import Testing

@testable import Pictures

/// Pictures that must not reach a policy, and what the errors say.
struct RefusedPictureTests {
    struct Refused: Decodable { let format, mentions: String }

    @Test("Pictures of a kind that is not read are refused by their header")
    func unsupported() throws {
        let refused = table("refused", of: Refused.self)
        #expect(refused.count == 6)
        for (name, line) in refused {
            let format = try #require(PictureFormat(rawValue: line.format))
            let bytes = resource("\(name).\(line.format)")
            let error = try #require(throws: PictureError.self) {
                try PictureHeader(reading: bytes.span, as: format)
            }
            #expect(error.reason == .unsupported)
            #expect(error.description.contains(line.mentions))
        }
    }

    @Test("A picture of another format is refused, and named")
    func mislabelled() throws {
        let (jpeg, png) = try (GoldenPicture.named("jpeg-420").bytes, GoldenPicture.named("png-rgb").bytes)
        var others: [(bytes: [UInt8], as: PictureFormat, name: String)] = [
            (png, .jpeg, "a PNG"), (jpeg, .png, "a JPEG"),
            ([0, 0, 0, 24] + Array("ftypheic0000mif1".utf8), .jpeg, "a HEIC"),
            ([0, 0, 0, 24] + Array("ftypmp420000isom".utf8), .jpeg, "an ISO media file"),
            ([0, 0, 0, 12] + Array("jP  ".utf8) + [13, 10, 0x87, 10], .png, "a JPEG 2000"),
            (Array("P6\n4 4\n255\n".utf8), .jpeg, "a PPM"),
            ([0x93] + Array("NUMPY\u{1}\0v".utf8), .png, "a NumPy array"),
            (Array("/9j/4AAQSkZJRgABAQ".utf8), .jpeg, "the Base64 text of a JPEG"),
            (Array("iVBORw0KGgoAAAAN".utf8), .png, "the Base64 text of a PNG"),
            (Array("data:image/png;base64,".utf8), .png, "a data URL"),
            ([1, 2, 0xab, 4, 5, 6, 7, 8, 9], .png, "bytes that start with 01 02 ab 04 05 06 07 08;"),
            ([0], .jpeg, "bytes that start with 00;"),
        ]
        for name in ["WebP", "GIF", "BMP", "TIFF", "AVIF"] {
            let article = name == "AVIF" ? "an" : "a"
            others.append((resource("other.\(name)"), .jpeg, "\(article) \(name);"))
        }
        for other in others {
            let error = try #require(refusal(of: other.bytes, as: other.as), "\(other.name)")
            #expect(error.reason == .mislabelled)
            #expect(error.description.contains(other.name), "\(error)")
            #expect(
                error.description.contains("expected a \(other.as == .jpeg ? "JPEG" : "PNG")"),
                "\(error)"
            )
        }
    }

    @Test("A picture is refused wherever it is cut off", arguments: GoldenPicture.all)
    func truncated(_ picture: GoldenPicture) throws {
        let bytes = picture.bytes
        for count in 0..<bytes.count {
            let error = try #require(refusal(of: Array(bytes[..<count]), as: picture.format), "at \(count)")
            #expect(error.reason == .truncated, "at \(count): \(error)")
        }
    }

    @Test("A JPEG that is cut off and closed by an end-of-image marker is refused")
    func closed() throws {
        for name in ["jpeg-444", "jpeg-420", "jpeg-restarts", "jpeg-grey", "jpeg-progressive"] {
            let bytes = try GoldenPicture.named(name).bytes
            for count in stride(from: bytes.count - 8, to: bytes.count / 2, by: -7) {
                let error = refusal(of: bytes[..<count] + [0xff, 0xd9], as: .jpeg)
                #expect(error != nil, "\(name) at \(count)")
            }
        }
    }

    @Test("A progressive JPEG is refused if any of its scans is missing")
    func missingScan() throws {
        for name in ["jpeg-progressive", "jpeg-progressive-444", "jpeg-progressive-grey"] {
            let bytes = try GoldenPicture.named(name).bytes
            let scans = bytes.indices.dropLast().filter { bytes[$0] == 0xff && bytes[$0 + 1] == 0xda }
            #expect(scans.count >= 6)
            for scan in scans.dropFirst() {
                let error = try #require(refusal(of: bytes[..<scan] + [0xff, 0xd9], as: .jpeg))
                #expect(error.reason == .truncated)
                #expect(error.description.contains("scans"), "\(error)")
            }
        }
    }

    @Test("A JPEG with a scan that is sent 70 times is refused before it costs time")
    func manyScans() throws {
        let bytes = try GoldenPicture.named("jpeg-grey").bytes
        let scan = try #require(bytes.indices.dropLast().first { bytes[$0] == 0xff && bytes[$0 + 1] == 0xda })
        let repeated = Array(repeatElement(bytes[scan..<bytes.count - 2], count: 70).joined())
        let error = try #require(refusal(of: bytes[..<scan] + repeated + [0xff, 0xd9], as: .jpeg))
        #expect(error.reason == .limit)
        #expect(error.description.contains("more than 64 scans"))
    }

    @Test("What libjpeg only warns about is an error")
    func warnings() throws {
        let bytes = try GoldenPicture.named("jpeg-restarts").bytes
        let restart = try #require(
            bytes.indices.dropLast().last { bytes[$0] == 0xff && (0xd0...0xd7).contains(bytes[$0 + 1]) }
        )
        var lost = bytes
        lost.removeSubrange(restart..<restart + 2)
        var swapped = bytes
        swapped[restart + 1] ^= 4
        let extraneous = bytes[..<(bytes.count - 2)] + [UInt8](repeating: 5, count: 40) + [0xff, 0xd9]
        for (name, broken) in [("lost", lost), ("swapped", swapped), ("extraneous", Array(extraneous))] {
            let error = try #require(refusal(of: broken, as: .jpeg), "\(name)")
            #expect(error.reason == .corrupt)
            #expect(error.description.contains("libjpeg: Corrupt JPEG data"), "\(error)")
        }
    }

    @Test("A JPEG with a changed byte is decoded or refused, and errors stay on their line")
    func changedByte() throws {
        for name in ["jpeg-420", "jpeg-progressive", "jpeg-restarts"] {
            let bytes = try GoldenPicture.named(name).bytes
            var refused = 0
            for index in bytes.indices {
                var broken = bytes
                broken[index] = broken[index] &* 31 &+ 7
                guard let error = refusal(of: broken, as: .jpeg) else { continue }
                refused += 1
                #expect(error.description.unicodeScalars.allSatisfy { $0.value >= 32 })
            }
            #expect(refused > bytes.count / 10)
        }
    }

    @Test("A JPEG that sends one of three components is refused")
    func missingComponent() throws {
        let bytes = try GoldenPicture.named("jpeg-444").bytes
        let scan = try #require(bytes.indices.dropLast().first { bytes[$0] == 0xff && bytes[$0 + 1] == 0xda })
        let header: [UInt8] = [0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0]
        let error = try #require(refusal(of: bytes[..<scan] + header + bytes[(scan + 14)...], as: .jpeg))
        #expect(error.reason == .truncated)
        #expect(error.description.contains("leave parts of the picture unsent"))
    }

    @Test("Sampling factors that the decoder cannot scale are refused as unsupported")
    func fractionalSampling() throws {
        var bytes = try GoldenPicture.named("jpeg-444").bytes
        let frame = try #require(
            bytes.indices.dropLast().first { bytes[$0] == 0xff && bytes[$0 + 1] == 0xc0 }
        )
        bytes[frame + 11] = 0x31
        bytes[frame + 14] = 0x21
        let error = try #require(refusal(of: bytes, as: .jpeg))
        #expect(error.reason == .unsupported, "\(error)")
    }

    @Test("A frame header that contradicts itself is refused")
    func frameHeader() throws {
        let bytes = try GoldenPicture.named("jpeg-420").bytes
        let frame = try #require(
            bytes.indices.dropLast().first { bytes[$0] == 0xff && bytes[$0 + 1] == 0xc0 }
        )
        let changes: [(offset: Int, value: UInt8, mentions: String)] = [
            (3, 16, "expected a marker"), (4, 16, "samples of 16 bits"), (9, 2, "a frame header of 17 bytes"),
            (11, 0x50, "sampling factors 5x0"), (13, 1, "two components 1"), (13, 9, "a scan of component 2"),
        ]
        for change in changes {
            var broken = bytes
            broken[frame + change.offset] = change.value
            let error = try #require(refusal(of: broken, as: .jpeg))
            #expect(error.description.contains(change.mentions), "\(error)")
        }
        let twice = bytes[..<frame] + bytes[frame..<frame + 19] + bytes[frame...]
        #expect(refusal(of: Array(twice), as: .jpeg)?.description.contains("two frame headers") == true)
    }

    @Test("A size of zero, or one that no camera has, is refused by the header")
    func sizes() throws {
        let jpeg = try GoldenPicture.named("jpeg-420").bytes
        let frame = try #require(jpeg.indices.dropLast().first { jpeg[$0] == 0xff && jpeg[$0 + 1] == 0xc0 })
        for (offset, side) in [(5, "height"), (7, "width")] {
            var broken = jpeg
            broken[frame + offset] = 0
            broken[frame + offset + 1] = 0
            let error = try #require(refusal(of: broken, as: .jpeg))
            #expect(error.reason == .size)
            #expect(error.description.contains("\(side) 0; expected 1 to 65535"), "\(error)")
        }
        let sides: [(height: UInt32, width: UInt32, mentions: String)] = [
            (0, 4, "height 0"), (4, 0, "width 0"), (65_536, 4, "height 65536"),
            (4, 1 << 31 - 1, "width 2147483647"),
            (.max, .max, "height 4294967295"),
        ]
        for side in sides {
            let bytes = pngSignature + imageHeader(height: side.height, width: side.width)
            let error = try #require(refusal(of: bytes, as: .png))
            #expect(error.reason == .size)
            #expect(error.description.contains(side.mentions), "\(error)")
        }
    }

    @Test("Pixels of another size than the header's are refused, and left alone")
    func wrongRoom() throws {
        for name in ["jpeg-420", "png-rgb"] {
            let picture = try GoldenPicture.named(name)
            let bytes = picture.bytes
            let header = try PictureHeader(reading: bytes.span, as: picture.format)
            for count in [0, header.pixelByteCount - 1, header.pixelByteCount + 1] {
                var pixels = [UInt8](repeating: 77, count: count)
                var reason: PictureError.Reason?
                do throws(PictureError) {
                    var decoder = try PictureDecoder()
                    var span = pixels.mutableSpan
                    try decoder.decode(bytes.span, header, into: &span)
                } catch {
                    reason = error.reason
                }
                #expect(reason == .size)
                #expect(pixels.allSatisfy { $0 == 77 })
            }
        }
    }

    @Test("Bytes that do not have the header that was read are refused, and the pixels are zero")
    func anotherPicture() throws {
        let (one, other) = try (GoldenPicture.named("jpeg-420"), GoldenPicture.named("jpeg-restarts"))
        let header = try PictureHeader(reading: one.bytes.span, as: .jpeg)
        var pixels = [UInt8](repeating: 77, count: header.pixelByteCount)
        var decoder = try PictureDecoder()
        var span = pixels.mutableSpan
        let bytes = other.bytes
        var text = ""
        do throws(PictureError) {
            try decoder.decode(bytes.span, header, into: &span)
        } catch {
            text = error.description
        }
        #expect(text.contains("a picture of 64x48") && text.contains("expected 37x29"), "\(text)")
        #expect(pixels.allSatisfy { $0 == 0 })
    }

    @Test(
        "After an error in the middle of a picture no pixel of it is left",
        arguments: ["jpeg-restarts", "png-rgb"]
    )
    func halfPicture(name: String) throws {
        let picture = try GoldenPicture.named(name)
        var bytes = picture.bytes
        if picture.format == .jpeg {
            bytes = bytes[..<(bytes.count * 3 / 4)] + [0xff, 0xd9]
        } else {
            bytes[bytes.count - 17] ^= 1
        }
        let header = try PictureHeader(reading: bytes.span, as: picture.format)
        var pixels = [UInt8](repeating: 77, count: header.pixelByteCount)
        var decoder = try PictureDecoder()
        var span = pixels.mutableSpan
        #expect(refusal(of: bytes, as: picture.format) != nil)
        do throws(PictureError) { try decoder.decode(bytes.span, header, into: &span) } catch {}
        #expect(pixels.allSatisfy { $0 == 0 })
    }
}
