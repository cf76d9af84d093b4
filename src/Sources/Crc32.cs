using System.Buffers.Binary;

namespace BackupDr.Sources;

/// <summary>The checksum of zip files, of mbstream's chunks and of binary logs' events.</summary>
/// <remarks>Source: ISO 3309; polynomial edb88320 reflected, eight bytes a step.</remarks>
static class Crc32
{
    static readonly uint[][] Tables = Make();

    static uint[][] Make()
    {
        var tables = new uint[8][];
        for (var table = 0; table < tables.Length; table++)
        {
            tables[table] = new uint[256];
            for (var at = 0u; at < 256; at++)
            {
                var value = table == 0 ? at : tables[table - 1][at];
                if (table == 0)
                    for (var bit = 0; bit < 8; bit++) value = (value & 1) != 0 ? value >> 1 ^ 0xedb88320 : value >> 1;
                else value = tables[0][value & 0xff] ^ value >> 8;
                tables[table][at] = value;
            }
        }
        return tables;
    }

    /// <summary>Goes on with more bytes; 0 to begin with.</summary>
    public static uint Append(uint before, ReadOnlySpan<byte> bytes)
    {
        var t = Tables;
        var crc = ~before;
        while (bytes.Length >= 8)
        {
            var (low, high) = (BinaryPrimitives.ReadUInt32LittleEndian(bytes) ^ crc, BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]));
            crc = t[7][low & 0xff] ^ t[6][low >> 8 & 0xff] ^ t[5][low >> 16 & 0xff] ^ t[4][low >> 24]
                ^ t[3][high & 0xff] ^ t[2][high >> 8 & 0xff] ^ t[1][high >> 16 & 0xff] ^ t[0][high >> 24];
            bytes = bytes[8..];
        }
        foreach (var one in bytes) crc = t[0][(crc ^ one) & 0xff] ^ crc >> 8;
        return ~crc;
    }
}
