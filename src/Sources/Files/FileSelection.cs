using System.Text;
using BackupDr.Contracts;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Files;

/// <summary>What a backup takes of this host.</summary>
public sealed record FileSelection
{
    /// <summary>Absolute paths; each has to be there.</summary>
    public IReadOnlyList<FilePath> Paths { get; init; } = [];
    /// <summary>Absolute paths from a list, which may be older than what it names: those that are gone are reported.</summary>
    public IReadOnlyList<FilePath> ListedPaths { get; init; } = [];
    /// <summary>What is left out by name.</summary>
    public IReadOnlyList<PatternLine> Patterns { get; init; } = [];
    /// <summary>Folders with one of these hold nothing else that is taken.</summary>
    public IReadOnlyList<FolderMarker> Markers { get; init; } = [];
    /// <summary>Files of more bytes than this are left out; null for no limit.</summary>
    public long? LargerThanBytes { get; init; }
    /// <summary>Whether what is mounted below a path is left out.</summary>
    public bool OneFileSystem { get; init; }
}

/// <summary>A file whose presence says that its folder is not to be backed up; the folder and the file itself are taken.</summary>
public sealed class FolderMarker
{
    readonly byte[] _header;

    FolderMarker(byte[] name, byte[] header, string reason) => (Name, _header, Reason) = (new FilePath(name), header, reason);

    /// <summary>The mark of folders that can be made again: https://bford.info/cachedir/.</summary>
    public static FolderMarker CacheTag { get; } = new("CACHEDIR.TAG"u8.ToArray(),
        "Signature: 8a477f597d28d172789f06886806bc55"u8.ToArray(), "the folder has a CACHEDIR.TAG (--exclude-caches)");

    /// <summary>Name of the file.</summary>
    public FilePath Name { get; }

    /// <summary>For a person: why its neighbours are left out.</summary>
    internal string Reason { get; }

    /// <summary>Reads <c>NAME</c>, or <c>NAME:HEADER</c> where the file has to begin with these bytes.</summary>
    /// <exception cref="BadInputException">The name is empty or holds a slash.</exception>
    public static FolderMarker Parse(string text, string option)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        var name = colon < 0 ? text : text[..colon];
        if (name.Length == 0 || name.Contains('/', StringComparison.Ordinal))
            throw new BadInputException(option, $"{option}: '{text}' has no name of a file.",
                "Write NAME or NAME:HEADER, without a slash.");
        return new FolderMarker(Encoding.UTF8.GetBytes(name), colon < 0 ? [] : Encoding.UTF8.GetBytes(text[(colon + 1)..]),
            $"the folder has a {name} ({option} {text})");
    }

    /// <summary>Whether a folder is marked. A marker that cannot be read marks nothing: rather too much is taken than too little.</summary>
    internal bool IsIn(Descriptor folder)
    {
        if (_header.Length == 0) return folder.TryStatAt(Name.Bytes, follow: false, out _) == Errno.None;
        const OpenFlags flags = OpenFlags.ReadOnly | OpenFlags.NoFollow | OpenFlags.NonBlocking;
        if (folder.TryOpenAt(Name.Bytes, flags, 0, out var file) != Errno.None) return false;
        using (file!)
        {
            if (file!.Stat().Kind != FileKind.File) return false;
            var head = new byte[_header.Length];
            return file.FillAt(0, head) == head.Length && head.AsSpan().SequenceEqual(_header);
        }
    }
}

/// <summary>What a walk leaves out.</summary>
sealed record SourceRules(ExcludeRules Excludes, IReadOnlyList<FolderMarker> Markers, long? LargerThanBytes, bool OneFileSystem)
{
    public static SourceRules None { get; } = new(ExcludeRules.Parse(Array.Empty<string>()), [], null, false);

    /// <summary>The rule that leaves an entry out, for a person; null where it is taken.</summary>
    public string? WhyLeftOut(FolderExcludes excludes, ReadOnlySpan<byte> name, in FileStatus status)
    {
        if (excludes.Match(name, status.Kind == FileKind.Folder) is { } pattern) return pattern.Reason;
        return status.Kind == FileKind.File && status.SizeBytes > LargerThanBytes
            ? $"has {status.SizeBytes} bytes, more than {LargerThanBytes} (--exclude-larger-than)" : null;
    }
}
