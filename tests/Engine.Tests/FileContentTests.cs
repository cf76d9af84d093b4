using System.Threading.Channels;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Blobs;

namespace BackupDr.Engine.Tests;

public sealed class FileContentTests
{
    /// <summary>Chunks that are stored already are done in no time, so that one is counted out while the next is counted in.</summary>
    [Fact]
    public async Task A_file_is_finished_once_however_its_chunks_are_counted_in_and_out()
    {
        const int files = 100, chunks = 2_000, workers = 3;
        var ct = TestContext.Current.CancellationToken;
        for (var file = 0; file < files; file++)
        {
            var finished = 0;
            var content = new FileContent((_, _) =>
            {
                Interlocked.Increment(ref finished);
                return ValueTask.CompletedTask;
            });
            var queue = Channel.CreateUnbounded<int>();
            var storing = Enumerable.Range(0, workers).Select(_ => Task.Run(async () =>
            {
                await foreach (var number in queue.Reader.ReadAllAsync(ct)) await content.Stored(number, new BlobId(new byte[32]), ct);
            }, ct)).ToArray();

            for (var chunk = 0; chunk < chunks; chunk++) queue.Writer.TryWrite(content.Add(1));
            queue.Writer.Complete();
            await content.Close(ct);
            await Task.WhenAll(storing);

            Assert.Equal(1, finished);
            Assert.Equal((chunks, chunks), (content.Count, (int)content.LengthBytes));
        }
    }
}
