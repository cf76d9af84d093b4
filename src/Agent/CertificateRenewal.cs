using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace BackupDr.Agent;

/// <summary>Renews the certificate at half of its life, trying hourly until it works.</summary>
public sealed partial class CertificateRenewal(AgentIdentity identity, NodeConnection connection, ILogger<CertificateRenewal> log)
    : BackgroundService
{
    static readonly TimeSpan LookEvery = TimeSpan.FromHours(1);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(LookEvery);
        try
        {
            do
            {
                if (!IsDue(identity.Certificate.NotBefore.ToUniversalTime(), identity.Certificate.NotAfter.ToUniversalTime(),
                    TimeProvider.System.GetUtcNow().UtcDateTime)) continue;
                await Renew(stoppingToken);
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested) { return; }
    }

    /// <summary>Whether half of a certificate's life is over.</summary>
    internal static bool IsDue(DateTime notBefore, DateTime notAfter, DateTime now) => now - notBefore >= (notAfter - notBefore) / 2;

    async Task Renew(CancellationToken ct)
    {
        try
        {
            var (key, csr) = AgentIdentity.NewKey();
            var answer = await connection.Client.Renew(new RenewRequest(csr), ct);
            identity.Renewed(key, answer.CertificatePem);
            connection.Renew();
            LogRenewed(log, answer.ExpiresAt);
        }
        catch (BackupDrException e) { LogFailed(log, e.Message); }
    }

    [LoggerMessage(3001, LogLevel.Information, "Renewed the certificate; it is good until {ExpiresAt:u}")]
    static partial void LogRenewed(ILogger log, DateTimeOffset expiresAt);

    [LoggerMessage(3002, LogLevel.Warning, "The certificate could not be renewed, trying again in an hour: {Reason}")]
    static partial void LogFailed(ILogger log, string reason);
}
