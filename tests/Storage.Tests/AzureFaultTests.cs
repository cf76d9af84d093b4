using BackupDr.Storage.Azure;
using BackupDr.Storage.Layers;

namespace BackupDr.Storage.Tests;

/// <summary>One request is one try, and what went wrong is told; the SDK's own retries are off wherever they hide.</summary>
public sealed class AzureFaultTests
{
    static readonly CancellationToken None = CancellationToken.None;
    static readonly ObjectName Pack = new("data/ab/pack");

    static AzureStore Open(ScriptedServer server, TimeSpan? stallPatience = null)
    {
        var words = $"AccountName=a;AccountKey={Convert.ToBase64String(new byte[64])};BlobEndpoint={server.Endpoint}/a;";
        return new(AzureAddress.Parse("azure:container:/"), new StoreOptions
        {
            Environment = name => name == "AZURE_STORAGE_CONNECTION_STRING" ? words : null,
            Retry = new RetryOptions { Budget = TimeSpan.Zero },
        }, stallPatience: stallPatience);
    }

    [Fact]
    public async Task An_answer_that_breaks_off_is_unavailable_and_not_asked_for_again()
    {
        await using var server = new ScriptedServer(
            "HTTP/1.1 206 Partial Content\nContent-Length: 100\nContent-Range: bytes 0-99/100\nETag: \"e\"\n\nten bytes!");
        await using var store = Open(server);

        var e = await Assert.ThrowsAsync<StoreException>(() => store.Read(Pack, 0, new byte[100], None));

        Assert.Equal(StoreFault.Unavailable, e.Fault);
        Assert.Contains(server.Endpoint, e.Message, StringComparison.Ordinal);
        Assert.Equal(1, server.Requests);
    }

    [Fact]
    public async Task A_busy_service_is_asked_once_and_its_wish_is_handed_on()
    {
        await using var server = new ScriptedServer(
            "HTTP/1.1 503 Busy\nx-ms-error-code: ServerBusy\nRetry-After: 7\nContent-Length: 0\nConnection: close\n\n");
        await using var store = Open(server);

        var head = await Assert.ThrowsAsync<StoreException>(() => store.Head(Pack, None));
        var list = await Assert.ThrowsAsync<StoreException>(() => store.List("", None).ToListAsync(None).AsTask());

        Assert.Equal((StoreFault.Throttled, StoreFault.Throttled), (head.Fault, list.Fault));
        Assert.Equal(TimeSpan.FromSeconds(7), head.RetryAfter);
        Assert.Equal(2, server.Requests);
    }

    [Fact]
    public async Task A_request_in_which_nothing_moves_is_cut()
    {
        await using var server = new ScriptedServer("");
        await using var store = Open(server, TimeSpan.FromMilliseconds(300));

        var e = await Assert.ThrowsAsync<StoreException>(() => store.Head(Pack, None));

        Assert.Equal(StoreFault.Unavailable, e.Fault);
        Assert.Contains("nothing moved", e.Message, StringComparison.Ordinal);
        Assert.Equal(1, server.Requests);
    }

    [Fact]
    public async Task A_server_that_ignores_the_range_is_not_believed()
    {
        await using var server = new ScriptedServer("HTTP/1.1 200 OK\nContent-Length: 4\nETag: \"e\"\nConnection: close\n\nABCD");
        await using var store = Open(server);

        Assert.Equal(StoreFault.Unusable,
            (await Assert.ThrowsAsync<StoreException>(() => store.Read(Pack, 2, new byte[2], None))).Fault);
    }
}
