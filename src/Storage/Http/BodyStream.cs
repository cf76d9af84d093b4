namespace BackupDr.Storage.Http;

/// <summary>A request's body from memory, that tells when the network took some of it.</summary>
sealed class BodyStream(ReadOnlyMemory<byte> content, Stall stall) : Stream
{
    // The kernel takes what fits into its buffers at once; small steps make "it moves" mean the other side.
    const int Step = 256 * 1024;

    int _at;

    public override bool CanRead => true;
    public override bool CanSeek => true;
    public override bool CanWrite => false;
    public override long Length => content.Length;

    public override long Position
    {
        get => _at;
        set => _at = value >= 0 && value <= content.Length ? (int)value : throw new ArgumentOutOfRangeException(nameof(value));
    }

    public override int Read(Span<byte> buffer)
    {
        var count = Math.Min(Math.Min(buffer.Length, Step), content.Length - _at);
        content.Span.Slice(_at, count).CopyTo(buffer);
        _at += count;
        stall.Moved();
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        => cancellationToken.IsCancellationRequested ? ValueTask.FromCanceled<int>(cancellationToken) : new(Read(buffer.Span));

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
        => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
    {
        SeekOrigin.Begin => offset,
        SeekOrigin.Current => _at + offset,
        _ => content.Length + offset,
    };

    public override void Flush() { }
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
