using BackupDr.Contracts;
using BackupDr.Engine.Chunking;
using BackupDr.Storage.Posix;

namespace BackupDr.Components;

/// <summary>Bytes of one kind, in the pieces that a backup would cut them into.</summary>
/// <param name="Name">What they are.</param>
/// <param name="Pieces">The pieces.</param>
sealed record Sample(string Name, IReadOnlyList<ReadOnlyMemory<byte>> Pieces)
{
    const int LargestKind = 32 << 20;

    /// <summary>Bytes in all.</summary>
    public long Bytes => Pieces.Sum(piece => (long)piece.Length);

    /// <summary>Up to 32 MiB of the files of a folder with a suffix, cut one by one.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    public static Sample OfKind(string name, string folder, string suffix, IChunker chunker)
    {
        var pieces = new List<ReadOnlyMemory<byte>>();
        foreach (var path in Directory.EnumerateFiles(folder, "*" + suffix, SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            if (pieces.Sum(piece => piece.Length) >= LargestKind) break;
            pieces.AddRange(Cut(Content(path, LargestKind), chunker));
        }
        return pieces.Count > 0 ? new Sample(name, pieces) : throw new FileNotFoundException($"No *{suffix} in {folder}.");
    }

    static byte[] Content(string path, int most)
    {
        using var file = Descriptor.Open(FilePath.FromText(path), OpenFlags.ReadOnly);
        var bytes = new byte[Math.Min(file.Stat().SizeBytes, most)];
        return bytes[..file.FillAt(0, bytes)];
    }

    /// <summary>Whole files.</summary>
    public static List<byte[]> Files(string folder)
        => [.. Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            .Select(path => Content(path, int.MaxValue))];

    /// <summary>The chunks of a file.</summary>
    public static IEnumerable<ReadOnlyMemory<byte>> Cut(ReadOnlyMemory<byte> file, IChunker chunker)
    {
        while (!file.IsEmpty)
        {
            ulong state = 0;
            var window = file[..Math.Min(file.Length, chunker.Maximum)];
            var length = chunker.FindCut(window.Span, 0, ref state);
            if (length == 0) length = window.Length;
            yield return file[..length];
            file = file[length..];
        }
    }
}
