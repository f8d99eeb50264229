import CMessagePack

/// Packs MessagePack with msgpack-c, each integer in its shortest form. The caller writes exactly as many keys and
/// values as it announced.
package struct MessagePackEncoder: ~Copyable {
    private let buffer: UnsafeMutablePointer<msgpack_sbuffer>
    private let packer: UnsafeMutablePointer<msgpack_packer>

    package init() {
        buffer = .allocate(capacity: 1)
        packer = .allocate(capacity: 1)
        msgpack_sbuffer_init(buffer)
        msgpack_packer_init(packer, buffer, msgpack_sbuffer_write)
    }

    deinit {
        msgpack_sbuffer_destroy(buffer)
        buffer.deallocate()
        packer.deallocate()
    }

    /// What has been written.
    package var bytes: [UInt8] {
        [UInt8](UnsafeRawBufferPointer(start: buffer.pointee.data, count: buffer.pointee.size))
    }

    package func map(_ count: Int) { msgpack_pack_map(packer, count) }

    package func array(_ count: Int) { msgpack_pack_array(packer, count) }

    package func null() { msgpack_pack_nil(packer) }

    package func bool(_ value: Bool) {
        if value { msgpack_pack_true(packer) } else { msgpack_pack_false(packer) }
    }

    package func unsigned(_ value: UInt64) { msgpack_pack_uint64(packer, value) }

    package func integer(_ value: Int64) { msgpack_pack_int64(packer, value) }

    package func float(_ value: Double) { msgpack_pack_double(packer, value) }

    package func string(_ value: String) {
        var value = value
        value.withUTF8 { utf8 in
            msgpack_pack_str(packer, utf8.count)
            msgpack_pack_str_body(packer, utf8.baseAddress, utf8.count)
        }
    }

    package func string(_ text: StaticString) {
        msgpack_pack_str(packer, text.utf8CodeUnitCount)
        msgpack_pack_str_body(packer, text.utf8Start, text.utf8CodeUnitCount)
    }

    package func binary(_ value: UnsafeRawBufferPointer) {
        msgpack_pack_bin(packer, value.count)
        msgpack_pack_bin_body(packer, value.baseAddress, value.count)
    }

    package func binary(_ text: StaticString) {
        binary(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    package func value(_ value: MessagePackValue) {
        switch value {
        case .null: null()
        case .bool(let value): bool(value)
        case .negative(let value): integer(value)
        case .unsigned(let value): unsigned(value)
        case .float(let value): float(value)
        case .string(let value): string(value)
        case .binary(let value): value.withUnsafeBytes { binary($0) }
        case .array(let elements):
            array(elements.count)
            for element in elements { self.value(element) }
        case .map(let entries):
            map(entries.count)
            entries.forEach { key, value in
                string(key)
                self.value(value)
            }
        }
    }
}
