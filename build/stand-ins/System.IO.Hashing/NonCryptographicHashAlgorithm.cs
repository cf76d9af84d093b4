namespace System.IO.Hashing;

/// <summary>The one type of the package System.IO.Hashing that Azure's libraries refer to: they derive their CRC64 from it.</summary>
/// <remarks>Names and meanings are those of the public documentation of .NET, as far as those libraries use them.</remarks>
public abstract class NonCryptographicHashAlgorithm
{
    const int CopyBytes = 64 * 1024;

    /// <param name="hashLengthInBytes">Length of a hash in bytes, from 1.</param>
    protected NonCryptographicHashAlgorithm(int hashLengthInBytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(hashLengthInBytes, 1);
        HashLengthInBytes = hashLengthInBytes;
    }

    /// <summary>Length of a hash in bytes.</summary>
    public int HashLengthInBytes { get; }

    /// <summary>Takes more of what is hashed.</summary>
    public abstract void Append(ReadOnlySpan<byte> source);

    /// <summary>Forgets everything taken so far.</summary>
    public abstract void Reset();

    /// <summary>Writes the hash of what was taken so far; the state stays.</summary>
    /// <param name="destination">Exactly <see cref="HashLengthInBytes"/> long.</param>
    protected abstract void GetCurrentHashCore(Span<byte> destination);

    /// <summary>Writes the hash and forgets everything.</summary>
    /// <param name="destination">Exactly <see cref="HashLengthInBytes"/> long.</param>
    protected virtual void GetHashAndResetCore(Span<byte> destination)
    {
        GetCurrentHashCore(destination);
        Reset();
    }

    /// <summary>Takes more of what is hashed.</summary>
    public void Append(byte[] source)
    {
        ArgumentNullException.ThrowIfNull(source);
        Append(source.AsSpan());
    }

    /// <summary>Takes a stream to its end.</summary>
    public void Append(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        var buffer = new byte[CopyBytes];
        for (int count; (count = stream.Read(buffer)) > 0;) Append(buffer.AsSpan(0, count));
    }

    /// <summary>Takes a stream to its end.</summary>
    public async Task AppendAsync(Stream stream, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        var buffer = new byte[CopyBytes];
        for (int count; (count = await stream.ReadAsync(buffer, cancellationToken)) > 0;) Append(buffer.AsSpan(0, count));
    }

    /// <summary>The hash of what was taken so far.</summary>
    public byte[] GetCurrentHash()
    {
        var hash = new byte[HashLengthInBytes];
        GetCurrentHashCore(hash);
        return hash;
    }

    /// <summary>Writes the hash of what was taken so far.</summary>
    /// <returns>Bytes written.</returns>
    /// <exception cref="ArgumentException">There is not room enough.</exception>
    public int GetCurrentHash(Span<byte> destination)
        => TryGetCurrentHash(destination, out var written) ? written : throw TooShort(nameof(destination));

    /// <summary>Writes the hash of what was taken so far, if there is room.</summary>
    public bool TryGetCurrentHash(Span<byte> destination, out int bytesWritten)
    {
        bytesWritten = destination.Length < HashLengthInBytes ? 0 : HashLengthInBytes;
        if (bytesWritten > 0) GetCurrentHashCore(destination[..bytesWritten]);
        return bytesWritten > 0;
    }

    /// <summary>The hash of what was taken so far; afterwards nothing was taken.</summary>
    public byte[] GetHashAndReset()
    {
        var hash = new byte[HashLengthInBytes];
        GetHashAndResetCore(hash);
        return hash;
    }

    /// <summary>Writes the hash of what was taken so far; afterwards nothing was taken.</summary>
    /// <returns>Bytes written.</returns>
    /// <exception cref="ArgumentException">There is not room enough.</exception>
    public int GetHashAndReset(Span<byte> destination)
        => TryGetHashAndReset(destination, out var written) ? written : throw TooShort(nameof(destination));

    /// <summary>Writes the hash of what was taken so far and forgets everything, if there is room.</summary>
    public bool TryGetHashAndReset(Span<byte> destination, out int bytesWritten)
    {
        bytesWritten = destination.Length < HashLengthInBytes ? 0 : HashLengthInBytes;
        if (bytesWritten > 0) GetHashAndResetCore(destination[..bytesWritten]);
        return bytesWritten > 0;
    }

    static ArgumentException TooShort(string parameter) => new("There is no room for the hash.", parameter);
}
