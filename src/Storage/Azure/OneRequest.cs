using Azure.Core;
using Azure.Core.Pipeline;

namespace BackupDr.Storage.Azure;

/// <summary>Sees to it that a read is one request. The SDK asks for the rest by itself, up to five times, when an answer breaks off; here
/// one layer retries, and it has to know.</summary>
sealed class OneRequest
{
    const string Property = "backupdr.one-request";

    int _sent;

    /// <summary>What is sent until the answer is disposed counts as this one request.</summary>
    public static IDisposable Begin()
        => HttpPipeline.CreateHttpMessagePropertiesScope(new Dictionary<string, object?> { [Property] = new OneRequest() });

    /// <summary>Refuses the second.</summary>
    public sealed class Policy : HttpPipelineSynchronousPolicy
    {
        public override void OnSendingRequest(HttpMessage message)
        {
            if (message.TryGetProperty(Property, out var found) && found is OneRequest one && Interlocked.Exchange(ref one._sent, 1) == 1)
                throw new IOException("the answer broke off.");
        }
    }
}
