using System.Buffers.Binary;
using System.Numerics;

namespace BackupDr.Sources.PostgreSql;

/// <summary>The file global/pg_control: written in place by the server, so it is read until its checksum is right.</summary>
/// <remarks>
/// Its struct ends with a CRC-32C of all before it; where it ends differs between versions, and is found by the CRC itself.
/// </remarks>
static class ControlFile
{
    public const string Name = "pg_control";
    const int SmallestStruct = 128, LargestStruct = 512, Attempts = 50;

    /// <summary>Reads it.</summary>
    /// <exception cref="SourceException">No reading of it was right.</exception>
    public static byte[] Read(string dataFolder)
    {
        var path = Path.Combine(dataFolder, "global", Name);
        for (var attempt = 0; attempt < Attempts; attempt++)
            if (Disk.TryRead(path, 64 << 10) is { } bytes && IsWhole(bytes)) return bytes;
        throw new SourceException("postgres.control_file", $"{path} has no right checksum in {Attempts} readings.",
            "Look at it with pg_controldata: the cluster may be damaged.");
    }

    /// <summary>Whether its checksum is right.</summary>
    public static bool IsWhole(ReadOnlySpan<byte> content)
    {
        var crc = uint.MaxValue;
        for (var at = 0; at < Math.Min(content.Length - 4, LargestStruct); at++)
        {
            if (at >= SmallestStruct && at % 4 == 0 && ~crc == BinaryPrimitives.ReadUInt32LittleEndian(content[at..])) return true;
            crc = BitOperations.Crc32C(crc, content[at]);
        }
        return false;
    }

    /// <summary>The number that initdb gave the cluster: its first eight bytes.</summary>
    public static string SystemIdentifier(ReadOnlySpan<byte> content)
        => BinaryPrimitives.ReadUInt64LittleEndian(content).ToString(System.Globalization.CultureInfo.InvariantCulture);
}
