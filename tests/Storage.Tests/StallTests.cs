using BackupDr.Storage.Http;

namespace BackupDr.Storage.Tests;

public sealed class StallTests
{
    /// <summary>The SDKs unpack what .NET wraps a connection in that nobody answered. It must be a place that is away, so that another one
    /// is asked, and no fault of ours.</summary>
    [Fact]
    public async Task A_connection_that_nobody_answers_is_a_place_that_is_away()
    {
        var failure = await Assert.ThrowsAsync<StoreException>(() => Stall.Guard<int>("read config in s3:http://10.0.0.1/bucket",
            TimeProvider.System, Stall.Patience, _ => throw new TimeoutException("A connection could not be established."), (_, _) => null,
            CancellationToken.None));

        Assert.Equal((StoreFault.Unavailable, "read config in s3:http://10.0.0.1/bucket: A connection could not be established."),
            (failure.Fault, failure.Message));
    }
}
