using System.Security.Cryptography;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Rules.Runbooks.Bundles;
using BackupDr.Contracts.Specs;

namespace BackupDr.TestKit;

/// <summary>What an execution from a bundle leaves behind.</summary>
public static class BundleLeft
{
    /// <summary>The journal of one whose first step, the only one, was done by bob on the machine db-b after three seconds.</summary>
    /// <param name="bundle">The bundle.</param>
    /// <param name="passphrase">What opens it.</param>
    /// <param name="signer">Whoever certifies the bundle's key in the place of the installation; null for the installation.</param>
    public static string Of(Bundle bundle, string passphrase, ECDsa? signer = null)
    {
        using var key = Bundle.KeyOf(bundle.Open(passphrase));
        var certificate = signer is null ? bundle.Certificate : bundle.Certificate with
        {
            Signature = Convert.ToBase64String(EvidenceSignature.Sign(signer, HashChain.Hash(bundle.Certificate.End))),
        };
        var (clock, graph) = (TimeProvider.System, new RunbookGraph(bundle.Spec));
        var (now, id) = (clock.GetUtcNow(), ExecutionId.New(clock));
        List<string> lines = [BundleJournal.Head(key.ExportSubjectPublicKeyInfo(), now)];
        var begin = new BundleBegin
        {
            Head = HashChain.Hash(lines[0]),
            Mode = ExecutionMode.Disaster,
            At = now,
            By = "bob",
            Why = "all is gone",
            Machine = "db-b",
            Guard = "bob answered for it",
            Spec = JsonSerializer.Serialize(bundle.Spec, WireJson.Default.RunbookSpec),
        };
        var done = new ExecutionEvent
        {
            Kind = ExecutionEventKind.Reported,
            At = now + TimeSpan.FromSeconds(3),
            Step = bundle.Spec.Steps[0].Name,
            Attempt = 1,
            Outcome = ActivityOutcome.Succeeded,
            Text = "It was done.",
        };
        var state = Decision.Apply(graph, Decision.Begin(graph, begin.Mode, begin.At).Execution, done).Execution;
        var evidence = ExecutionEvidence.Of(bundle.Spec, state, new ExecutionFacts(id.ToString(), bundle.Head.Name, bundle.Head.Version,
            bundle.Head.Hash, begin.By, begin.Why));
        var previous = HashChain.Start;
        Add(BundleJournal.Bundle, BundleJournal.Body(certificate, BundleJson.Default.BundleCertificate));
        Add(BundleJournal.Begun, BundleJournal.Body(begin, BundleJson.Default.BundleBegin));
        Add(BundleJournal.Event, BundleJournal.Body(done, BundleJson.Default.ExecutionEvent));
        Add(ExecutionEvidence.Kind, BundleJournal.Body(evidence, WireJson.Default.EvidenceBody), bundle.Head.Runbook.ToString());
        lines.Add(BundleJournal.Close(lines, Sign));
        return string.Concat(lines.Select(line => line + "\n"));

        byte[] Sign(string hash) => EvidenceSignature.Sign(key, hash);

        void Add(string kind, string body, string? subject = null)
        {
            var record = new EvidenceRecord(lines.Count, previous, EvidenceId.New(clock).ToString(), HashChain.Moment(now), kind,
                subject ?? id.ToString(), body);
            (var line, previous) = BundleJournal.Record(record, Sign);
            lines.Add(line);
        }
    }
}
