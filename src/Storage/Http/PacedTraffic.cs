using System.Net;
using BackupDr.Storage.Layers;

namespace BackupDr.Storage.Http;

/// <summary>Lets the bodies of requests and answers pass no faster than their limits allow. Headers are not counted.</summary>
sealed class PacedTraffic(BandwidthLimits limits) : DelegatingHandler
{
    /// <inheritdoc/>
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (limits.Up is { } up && request.Content is { } body) request.Content = new PacedContent(body, up);
        var answer = await base.SendAsync(request, cancellationToken);
        if (limits.Down is { } down)
            answer.Content = new PacedContent(answer.Content, down);
        return answer;
    }
}

/// <summary>A body that passes at a limited rate, with the headers that it had.</summary>
sealed class PacedContent : HttpContent
{
    readonly HttpContent _inner;
    readonly Bandwidth _bandwidth;

    public PacedContent(HttpContent inner, Bandwidth bandwidth)
    {
        (_inner, _bandwidth) = (inner, bandwidth);
        foreach (var (name, values) in inner.Headers) Headers.TryAddWithoutValidation(name, values);
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        => SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        => _inner.CopyToAsync(new PacedStream(stream, _bandwidth), context, cancellationToken);

    protected override async Task<Stream> CreateContentReadStreamAsync()
        => new PacedStream(await _inner.ReadAsStreamAsync(), _bandwidth);

    protected override bool TryComputeLength(out long length)
    {
        length = _inner.Headers.ContentLength ?? -1;
        return length >= 0;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) _inner.Dispose();
        base.Dispose(disposing);
    }
}

/// <summary>Reads and writes in small steps, each of which waits for its turn.</summary>
sealed class PacedStream(Stream inner, Bandwidth bandwidth) : Stream
{
    const int Step = 16 * 1024;

    public override bool CanRead => inner.CanRead;
    public override bool CanSeek => false;
    public override bool CanWrite => inner.CanWrite;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var count = await inner.ReadAsync(buffer.Length > Step ? buffer[..Step] : buffer, cancellationToken);
        await bandwidth.Pass(count, cancellationToken);
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
        => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        for (; !buffer.IsEmpty; buffer = buffer[Math.Min(Step, buffer.Length)..])
        {
            var piece = buffer[..Math.Min(Step, buffer.Length)];
            await bandwidth.Pass(piece.Length, cancellationToken);
            await inner.WriteAsync(piece, cancellationToken);
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
        => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);
    public override void Flush() => inner.Flush();

    // Nothing here works without waiting: whoever reads at once reads unpaced.
    public override int Read(byte[] buffer, int offset, int count) => inner.Read(buffer, offset, count);
    public override void Write(byte[] buffer, int offset, int count) => inner.Write(buffer, offset, count);
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing && inner.CanRead) inner.Dispose();
        base.Dispose(disposing);
    }
}
