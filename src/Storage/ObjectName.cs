namespace BackupDr.Storage;

/// <summary>The name of an object below a store's root: segments of ASCII letters, digits, <c>-</c>, <c>_</c> and <c>.</c>, joined by
/// slashes.</summary>
/// <remarks>Source: docs/format/restic-v2.md, layout. A segment is never empty, "." or "..", so a name can not leave the store's
/// root.</remarks>
public readonly record struct ObjectName
{
    /// <summary>Checks <paramref name="value"/>.</summary>
    /// <exception cref="ArgumentException">It is not a legal name.</exception>
    public ObjectName(string value)
    {
        if (!IsLegal(value)) throw new ArgumentException($"'{value}' is not an object name.", nameof(value));
        Value = value;
    }

    /// <summary>The name, for example "data/ab/ab12…".</summary>
    public string Value { get; }

    /// <summary>The part after the last slash.</summary>
    public string LastSegment => Value[(Value.LastIndexOf('/') + 1)..];

    /// <inheritdoc/>
    public override string ToString() => Value;

    /// <summary>Whether <paramref name="value"/> is a legal name.</summary>
    public static bool IsLegal(string? value)
    {
        if (string.IsNullOrEmpty(value) || value.Length > 1024) return false;
        foreach (var range in value.AsSpan().Split('/'))
        {
            var segment = value.AsSpan(range);
            if (segment.IsEmpty || segment is "." or "..") return false;
            foreach (var letter in segment)
                if (!char.IsAsciiLetterOrDigit(letter) && letter is not ('-' or '_' or '.')) return false;
        }
        return true;
    }
}

/// <summary>What a listing or a head request tells of an object.</summary>
/// <param name="Name">Its full name below the store's root.</param>
/// <param name="SizeBytes">Its length in bytes.</param>
public readonly record struct StoredObject(ObjectName Name, long SizeBytes);
