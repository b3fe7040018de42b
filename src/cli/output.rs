//! The output of runs: each is written in one piece, in the order of the runs, however many play at
//! once.

use std::io::{self, Read as _, Seek as _, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tempfile::SpooledTempFile;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::progress::Progress;
use crate::record::{LogReader, RecordLog};
use crate::report::Report;

/// Output of a waiting run that is kept in memory; beyond this it goes to a temporary file, so that
/// the memory for parallel runs is bounded and a waiting run never holds up its own playing.
const MAX_IN_MEMORY: usize = 1024 * 1024;

/// How long records are collected before they are written. Nobody sees a delay this short.
const BATCH_TIME: Duration = Duration::from_millis(5);

/// Standard output or a file, shared by the runs of a command.
pub(super) struct OrderedOutput(Mutex<OutputState>);

struct OutputState {
    out: Box<dyn Write + Send>,
    /// The run whose output goes to `out` directly.
    current: usize,
    /// The output of the later runs, until it is their turn.
    waiting: Vec<Waiting>,
    /// The reader of the output closed the pipe. The runs continue without output.
    is_closed: bool,
}

#[derive(Default)]
struct Waiting {
    spool: Option<SpooledTempFile>,
    is_finished: bool,
}

/// The output of one run.
struct RunOutput {
    output: Arc<OrderedOutput>,
    run: usize,
}

impl OrderedOutput {
    /// The output of this many runs.
    pub(super) fn new(runs: usize, out: Box<dyn Write + Send>) -> Arc<Self> {
        let out = Box::new(io::BufWriter::new(out));
        let waiting = (0..runs).map(|_| Waiting::default()).collect();
        Arc::new(Self(Mutex::new(OutputState { out, current: 0, waiting, is_closed: false })))
    }

    /// Reports the records of a run (numbered from 0) as they come.
    pub(super) fn follow(
        self: &Arc<Self>,
        run: usize,
        log: &RecordLog,
        mut report: Box<dyn Report>,
        progress: &Arc<Progress>,
    ) -> JoinHandle<io::Result<()>> {
        let mut records = log.subscribe(1);
        let mut out = RunOutput { output: Arc::clone(self), run };
        let progress = Arc::clone(progress);
        let runtime = Handle::current();
        // Writing may block: on a terminal, on a pipe, on a slow disk.
        tokio::task::spawn_blocking(move || {
            if let Ok(records) = &mut records {
                write_records(records, &mut *report, &mut out, &progress, &runtime)?;
            }
            report.finish(&mut out)?;
            out.finish()
        })
    }

    /// Ends the output of a run that was not started.
    pub(super) fn skip(self: &Arc<Self>, run: usize) -> io::Result<()> {
        RunOutput { output: Arc::clone(self), run }.finish()
    }

    fn state(&self) -> MutexGuard<'_, OutputState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write_records(
    records: &mut LogReader,
    report: &mut dyn Report,
    out: &mut RunOutput,
    progress: &Progress,
    runtime: &Handle,
) -> io::Result<()> {
    let mut batch = Vec::new();
    loop {
        records.try_next_batch(&mut batch);
        if batch.is_empty() {
            progress.aside(|| out.flush())?; // a run on a terminal is watched live
            runtime.block_on(records.next_batch(&mut batch));
            if batch.is_empty() {
                return Ok(());
            }
            // Lets more records come. To wake this thread for each one costs more than writing it.
            thread::sleep(BATCH_TIME);
        }
        for record in batch.drain(..) {
            progress.count(&record);
            progress.aside(|| report.record(&record, out))?;
        }
    }
}

impl OutputState {
    fn write(&mut self, run: usize, bytes: &[u8]) -> io::Result<()> {
        if self.is_closed {
            return Ok(());
        }
        if run == self.current {
            let written = self.out.write_all(bytes);
            return self.unless_closed(written);
        }
        let spool = &mut self.waiting[run].spool;
        spool.get_or_insert_with(|| SpooledTempFile::new(MAX_IN_MEMORY)).write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = if self.is_closed { Ok(()) } else { self.out.flush() };
        self.unless_closed(flushed)
    }

    fn unless_closed(&mut self, written: io::Result<()>) -> io::Result<()> {
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(())
            }
            other => other,
        }
    }

    /// Ends the output of a run, and writes that of the next ones as far as there is any.
    fn finish(&mut self, run: usize) -> io::Result<()> {
        self.waiting[run].is_finished = true;
        while self.waiting.get(self.current).is_some_and(|run| run.is_finished) {
            self.current += 1;
            let spool = self.waiting.get_mut(self.current).and_then(|next| next.spool.take());
            if let Some(spool) = spool {
                self.copy(spool)?;
            }
        }
        self.flush()
    }

    fn copy(&mut self, mut spool: SpooledTempFile) -> io::Result<()> {
        spool.rewind()?;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let length = spool.read(&mut buffer)?;
            if length == 0 {
                return Ok(());
            }
            let current = self.current;
            self.write(current, &buffer[..length])?;
        }
    }
}

impl RunOutput {
    fn finish(self) -> io::Result<()> {
        self.output.state().finish(self.run)
    }
}

impl Write for RunOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.state().write(self.run, bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.state().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn runs_are_written_in_order_however_their_output_comes() {
        let sink = Sink::default();
        let waiting = (0..3).map(|_| Waiting::default()).collect();
        let out = Box::new(sink.clone());
        let mut state = OutputState { out, current: 0, waiting, is_closed: false };
        state.write(2, b"c").unwrap();
        state.write(0, b"a").unwrap();
        state.write(1, &vec![b'b'; MAX_IN_MEMORY + 1]).unwrap();
        state.finish(2).unwrap();
        assert_eq!(*sink.0.lock().unwrap(), b"a");
        state.write(0, b"A").unwrap();
        state.finish(0).unwrap();
        state.write(1, b"B").unwrap();
        state.finish(1).unwrap();
        let written = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        assert_eq!(written, format!("aA{}Bc", "b".repeat(MAX_IN_MEMORY + 1)));
    }
}
