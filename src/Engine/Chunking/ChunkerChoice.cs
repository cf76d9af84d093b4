using System.Globalization;
using BackupDr.Contracts;

namespace BackupDr.Engine.Chunking;

/// <summary>Ways to cut files.</summary>
public enum ChunkerKind
{
    /// <summary>Page files fixed; the rest as the repository's history was cut.</summary>
    Auto,
    /// <summary>Everything by <see cref="Chunking.FastCdc"/>.</summary>
    FastCdc,
    /// <summary>Everything as stock restic does.</summary>
    Rabin,
    /// <summary>Everything in chunks of one size.</summary>
    Fixed,
}

/// <summary>How a backup cuts files.</summary>
/// <param name="Kind">Way.</param>
/// <param name="FixedBytes">Size of fixed chunks in bytes, also of those that Auto chooses.</param>
public sealed record ChunkerChoice(ChunkerKind Kind, int FixedBytes = FixedSize.DefaultBytes)
{
    /// <summary>What counts where nobody chose.</summary>
    public static ChunkerChoice Auto { get; } = new(ChunkerKind.Auto);

    /// <summary>Reads <c>auto</c>, <c>fastcdc</c>, <c>rabin</c>, <c>fixed</c>, <c>fixed:SIZE</c> (bytes, or with a K or M).</summary>
    /// <param name="text">As given.</param>
    /// <param name="option">Option that it was given with, for the message.</param>
    /// <exception cref="BadInputException">It is none of them, or the size is no power of two within the bounds.</exception>
    public static ChunkerChoice Parse(string text, string option) => text switch
    {
        "auto" => Auto,
        "fastcdc" => new(ChunkerKind.FastCdc),
        "rabin" => new(ChunkerKind.Rabin),
        "fixed" => new(ChunkerKind.Fixed),
        _ when text.StartsWith("fixed:", StringComparison.Ordinal) && Size(text[6..]) is { } size => new(ChunkerKind.Fixed, size),
        _ => throw new BadInputException(option, $"\"{text}\" is no way to cut files.",
            "Give auto, fastcdc, rabin, fixed, or fixed:SIZE with a power of two from 16K to 8M."),
    };

    static int? Size(string text)
    {
        var unit = text.EndsWith('K') ? 10 : text.EndsWith('M') ? 20 : 0;
        if (!int.TryParse(unit == 0 ? text : text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out var number)) return null;
        var bytes = (long)number << unit;
        return bytes is >= FixedSize.SmallestBytes and <= FixedSize.LargestBytes && long.IsPow2(bytes) ? (int)bytes : null;
    }
}

/// <summary>Gives each file its chunker.</summary>
sealed class ChunkerPicker
{
    /// <summary>Chunks of fixed size that a file may have before they are made larger: their list then is a tree of 70 MiB.</summary>
    public const long MostFixedChunks = 1L << 20;

    readonly IChunker _usual;
    readonly FixedSize? _pages;

    /// <summary>Prepares what one backup needs.</summary>
    /// <param name="choice">What was asked for.</param>
    /// <param name="polynomial">The repository's.</param>
    /// <param name="isCutByRestic">Whether the repository's history was cut by stock restic.</param>
    public ChunkerPicker(ChunkerChoice choice, ulong polynomial, bool isCutByRestic)
    {
        _usual = choice.Kind switch
        {
            ChunkerKind.Fixed => new FixedSize(choice.FixedBytes),
            ChunkerKind.Rabin => new Rabin(polynomial),
            ChunkerKind.Auto when isCutByRestic => new Rabin(polynomial),
            _ => new FastCdc(),
        };
        if (choice.Kind == ChunkerKind.Auto) _pages = new FixedSize(choice.FixedBytes);
    }

    /// <summary>The chunker of a file of which nothing is known.</summary>
    public IChunker Usual => _usual;

    /// <summary>The chunker of one file; reads its head where that matters.</summary>
    public IChunker For(ReadOnlySpan<byte> name, Backup.ISourceFile file)
    {
        var size = file.SizeBytes;
        if (file.ChunkBytes is { } wanted) return Enlarged(new FixedSize(wanted), size);
        if (_pages is null || size < PageFile.SmallestBytes) return Enlarged(_usual, size);
        Span<byte> head = stackalloc byte[PageFile.HeadBytes];
        var read = file.Read(0, head);
        return Enlarged(PageFile.IsOne(name, size, head[..read]) ? _pages : _usual, size);
    }

    /// <summary>Fixed chunks grow with the file by powers of two, from 64 GiB on for chunks of 64 KiB: a disk of many TiB in small ones
    /// would have a tree larger than what is read back.</summary>
    static IChunker Enlarged(IChunker chunker, long sizeBytes)
        => chunker is FixedSize && EnlargedBytes(chunker.Maximum, sizeBytes) is var bytes && bytes > chunker.Maximum
            ? new FixedSize(bytes) : chunker;

    internal static int EnlargedBytes(int chunkBytes, long sizeBytes)
    {
        while (chunkBytes < FixedSize.LargestBytes && sizeBytes / chunkBytes > MostFixedChunks) chunkBytes *= 2;
        return chunkBytes;
    }
}
